"""A registry with the serving base in it, one for the tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docker_host import ENGINE_URL, PYTHON_IMAGE, Registry, registry, require_engine
from tests.integration.image.image_build import StoredBundle
from tests.serving_base import SERVING

ENGINE_CONNECTION = json.dumps({"conn_type": "docker", "host": ENGINE_URL})


@pytest.fixture(scope="session")
def engine() -> Any:
    """`docker.APIClient` of a real engine."""
    return require_engine(PYTHON_IMAGE).api


@pytest.fixture(scope="session")
def registry_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry") / "r") as running:
        yield running


@pytest.fixture(scope="session")
def base(engine: Any, registry_server: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """``<registry>/slipway-serving@sha256:..``, made by the task that makes it for people."""
    stored = StoredBundle(tmp_path_factory.mktemp("base"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_TEST_ENGINE", ENGINE_CONNECTION)
        job = stored.job(f"{registry_server.address}/any", engine_conn_id="test_engine")
        name, changed = job.ensure_base(stored.key, SERVING)
        assert changed
        assert job.ensure_base(stored.key, SERVING) == (name, False)
    return name


@pytest.fixture
def stored(tmp_path: Path) -> StoredBundle:
    """A bundle in a store of its own."""
    return StoredBundle(tmp_path / "store")


@pytest.fixture
def engine_connection(engine: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The Airflow connection of the engine."""
    monkeypatch.setenv("AIRFLOW_CONN_TEST_ENGINE", ENGINE_CONNECTION)
    return "test_engine"
