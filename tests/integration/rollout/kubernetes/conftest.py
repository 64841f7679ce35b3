"""A model on a stand-in cluster whose pods do what a test says: the tasks as the DAG makes them, over a real socket."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slipway.cluster.api import Cluster as Namespace
from slipway.core.kubernetes_section import KubernetesTarget
from tests.cluster import Cluster, start_cluster
from tests.cluster.controllers import Controllers
from tests.cluster.fates import Fate, ready
from tests.cluster.kubelets import ScriptedKubelet
from tests.cluster.scheduler import Node
from tests.system.kubernetes.model import ClusterModel, Version

CONNECTION = "scripted_cluster"
_numbers = itertools.count(1)


@dataclass
class Scripted:
    """The cluster; `fates` are of pods, by the first digits of their bundle."""

    cluster: Cluster
    namespace: str
    client: Any
    fates: dict[str, Fate] = field(default_factory=dict)

    def fate(self, pod: dict[str, Any]) -> Fate:
        return self.fates.get(pod["metadata"]["labels"].get("slipway.dev/bundle", ""), ready())


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    from kubernetes.config import new_client_from_config

    with start_cluster(gateway=True) as cluster:
        path = cluster.kubeconfig(tmp_path / "kubeconfig", user="admin", namespace="models")
        made = Scripted(cluster, "models", new_client_from_config(str(path)))
        cluster.kubelet = kubelet = ScriptedKubelet(cluster.store, made.fate)
        cluster.add_namespace("models")
        cluster.run(kubelet, Controllers(cluster.store, nodes=[Node()]))
        extra = {"kube_config_path": str(path)}
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps({"conn_type": "kubernetes", "extra": extra})
        )
        yield made


@pytest.fixture
def make_model(scripted: Scripted, tmp_path: Path) -> Callable[..., ClusterModel]:
    def make(name: str = "Wine", **changes: Any) -> ClusterModel:
        target = KubernetesTarget(
            **{"conn_id": CONNECTION, "namespace": scripted.namespace, "timeout_minutes": 0.5} | changes
        )
        cluster = Namespace(scripted.client, scripted.namespace, CONNECTION)
        return ClusterModel(name, tmp_path / "store", cluster, target)

    return make


@pytest.fixture
def versions(tmp_path: Path) -> list[Version]:
    """Three; nothing asks them, so that they need no bundle's files."""
    made = []
    for name in "abc":
        bundle = tmp_path / "bundles" / name
        bundle.mkdir(parents=True)
        made.append(Version(f"registry.example.com/wine@sha256:{name * 64}", f"sha256:{name * 64}", bundle))
    return made
