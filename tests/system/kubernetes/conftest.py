"""A namespace on a cluster, images that it can pull, and a model of its own for every test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.core.kubernetes_section import KubernetesTarget
from tests.bundle_maker import make_bundle
from tests.docker_host import PYTHON_IMAGE, require_engine
from tests.serving_images import serving_image
from tests.system.kubernetes.model import ClusterModel, Version
from tests.system.kubernetes.place import CONNECTION, CONNECTION_VARIABLE, Place, check_architecture, find_place

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def engine() -> Any:
    """It builds the images, whatever cluster runs them."""
    return require_engine(PYTHON_IMAGE)


@pytest.fixture(scope="session")
def place(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with find_place(tmp_path_factory.mktemp("cluster")) as found:
        check_architecture(found.core, engine.images.get(PYTHON_IMAGE).attrs["Architecture"])
        yield found


@pytest.fixture(scope="session")
def make_version(engine: Any, place: Place, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Version]:
    folder = tmp_path_factory.mktemp("bundles")

    def make(name: str, extra: str = "") -> Version:
        bundle = folder / name
        digest = make_bundle(bundle, name=name)
        image = serving_image(engine, place.registry, bundle, digest, extra=extra, login=place.login)
        return Version(image, digest, bundle)

    return make


@pytest.fixture(scope="session")
def versions(make_version: Callable[[str], Version]) -> list[Version]:
    """Three versions that serve."""
    return [make_version(name) for name in ("one", "two", "three")]


@pytest.fixture
def connection(place: Place, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its id; for this process and those that it starts, whatever tests before have done to the environment."""
    from airflow.configuration import AIRFLOW_HOME

    monkeypatch.setenv("AIRFLOW_HOME", AIRFLOW_HOME)
    monkeypatch.setenv(CONNECTION_VARIABLE, place.connection)
    return CONNECTION


@pytest.fixture
def model(place: Place, connection: str, tmp_path: Path) -> Iterator[ClusterModel]:
    target = KubernetesTarget(
        conn_id=connection,
        namespace=place.namespace,
        replicas=2,
        cpu="100m",
        memory="256Mi",
        pull_secret=place.pull_secret,
        timeout_minutes=10,
    )
    made = ClusterModel(f"Test-{os.getpid()}-{next(_numbers)}", tmp_path / "store", place.cluster, target)
    yield made
    from slipway.rollout.kubernetes.target import ClusterEndpoint

    ClusterEndpoint(place.cluster, made.model, made.target).stop()
