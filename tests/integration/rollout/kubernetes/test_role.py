"""The Role that is given: each of its verbs is needed, and its lack is named, before the run and in it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from slipway.cluster.api import Cluster as Namespace
from slipway.cluster.permissions import Permission, check_permissions, needed_permissions
from slipway.cluster.tunnel import forwarded
from slipway.core.errors import DeniedError, RolloutError
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.core.model_file import Access
from tests.cluster.fates import crash, ready
from tests.integration.rollout.kubernetes.conftest import CONNECTION, Scripted
from tests.system.kubernetes.model import ClusterModel, Version
from tests.system.kubernetes.place import grant

NEEDED = needed_permissions(["role"])
KEYS = "api_keys_of_wine"
MakeModel = Callable[[Permission | None], "ModelWithKeys"]


@dataclass
class ModelWithKeys(ClusterModel):
    """Not open to all: its keys' hashes are a ConfigMap."""

    def given(self, version: Version | None = None) -> dict[str, Any]:
        return super().given(version) | {"access": Access(conn_id=KEYS)}


def keys(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if somebody changed the connection's key."""
    connection = {"conn_type": "http", "password": f"{number}" * 40}
    monkeypatch.setenv(f"AIRFLOW_CONN_{KEYS.upper()}", json.dumps(connection))


@pytest.fixture
def restricted(scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeModel:
    """A model whose connection has what the Roles give, but for one permission."""
    from kubernetes.config import new_client_from_config

    def make(without: Permission | None) -> ModelWithKeys:
        left_out = (without.verb, _full(without)) if without else None
        user = grant(scripted.client, scripted.namespace, without=left_out)
        path = scripted.cluster.kubeconfig(tmp_path / "restricted", user=user, namespace=scripted.namespace)
        connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(path)}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(connection))
        target = {"conn_id": CONNECTION, "namespace": scripted.namespace, "timeout_minutes": 0.5}
        cluster = Namespace(new_client_from_config(str(path)), scripted.namespace, CONNECTION)
        return ModelWithKeys("Wine", tmp_path / "store", cluster, KubernetesTarget.model_validate(target))

    return make


def _full(one: Permission) -> str:
    return f"{one.resource}/{one.subresource}" if one.subresource else one.resource


def live(model: ModelWithKeys, scripted: Scripted, versions: list[Version], monkeypatch: pytest.MonkeyPatch) -> str:
    """All that may happen to a model: removed again, delivered, replaced by canary, brought back, and a failure.

    Returns what the failure says.
    """
    one, two, bad = versions
    with listening() as address:
        # Not at once: what is ready at the first look needs no watch.
        scripted.fates |= {"a" * 12: ready(0.3, address=address), "b" * 12: ready(0.3)}
        scripted.fates["c" * 12] = crash(logs="no such bundle")
        keys(1, monkeypatch)
        balancer = {"load_balancer": {"source_ranges": ["203.0.113.0/24"]}}
        model.with_target(autoscale={"maximum": 3}, strategy={"canary": {"steps": [50]}}, expose=balancer)
        model.begin()
        model.plan(one)
        model.roll_out(one)
        assert model.bring_back()["changed"]  # there was nothing before: all of it is removed
        model.begin()
        model.roll_out(one)
        model.promote(one)
        with forwarded(model.cluster, model.pods()[0]["metadata"]["name"], 8080):
            pass
        keys(2, monkeypatch)
        model.with_target(autoscale=None)
        model.begin()
        model.shift(two, 50)
        model.roll_out(two)
        model.bring_back()
        model.with_target(strategy=None)
        model.begin()
        with pytest.raises(RolloutError) as failure:
            model.roll_out(bad)
        return str(failure.value)


@contextmanager
def listening() -> Iterator[tuple[str, int]]:
    """A port whose connections are taken: enough for a tunnel to open."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.fixture
def load_balancers(scripted: Scripted) -> Iterator[None]:
    """What gives Services of that type their address, a while after they are made."""
    store, timers = scripted.cluster.store, list[Timer]()

    def give(_: str, obj: dict[str, Any]) -> None:
        given = obj.get("status", {}).get("loadBalancer", {}).get("ingress")
        if obj["kind"] == "Service" and obj["spec"].get("type") == "LoadBalancer" and not given:
            name = (obj["metadata"]["namespace"], obj["metadata"]["name"])
            status = {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}}
            timers.append(Timer(0.5, store.set_status, ("Service", *name, status)))
            timers[-1].start()

    unsubscribe = store.subscribe(give)
    yield
    unsubscribe()
    for timer in timers:
        timer.join()


@pytest.mark.usefixtures("load_balancers")
def test_the_role_is_enough(
    restricted: MakeModel, scripted: Scripted, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = restricted(None)
    check_permissions(model.cluster, ["role"])
    assert "no such bundle" in live(model, scripted, versions, monkeypatch)


@pytest.mark.usefixtures("load_balancers")
@pytest.mark.parametrize("without", NEEDED, ids=lambda one: f"{one.verb}-{_full(one)}")
def test_none_of_its_verbs_is_idle_and_one_that_lacks_is_named(
    without: Permission,
    restricted: MakeModel,
    scripted: Scripted,
    versions: list[Version],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = restricted(without)
    with pytest.raises(DeniedError) as before:
        check_permissions(model.cluster, ["role"])
    assert before.value.why == f"this identity may not {without.on}: {without.verb}"
    if _full(without) == "pods/log":  # without it a failure is still explained, but for its last lines
        said = live(model, scripted, versions, monkeypatch)
        assert "no such bundle" not in said
    else:
        with pytest.raises(DeniedError) as during:
            live(model, scripted, versions, monkeypatch)
        said = str(during.value)
    assert f"may not {without.verb} {_full(without)}" in said
