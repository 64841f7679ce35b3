"""Images and endpoints for the tests of the target `docker`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bundle_maker import make_bundle
from tests.container_endpoint import Endpoint, Version, endpoint_of_its_own
from tests.docker_host import NGINX_IMAGE, PYTHON_IMAGE, Registry, registry, require_engine
from tests.serving_images import serving_image


@pytest.fixture(scope="session")
def docker_client() -> Any:
    return require_engine(PYTHON_IMAGE, NGINX_IMAGE)


@pytest.fixture(scope="session")
def image_registry(docker_client: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("images") / "registry") as made:
        yield made


@pytest.fixture(scope="session")
def versions(
    docker_client: Any, image_registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Version]]:
    """Two versions that serve."""
    import docker

    made = []
    for name in ("one", "two"):
        bundle = tmp_path_factory.mktemp("bundles") / name
        digest = make_bundle(bundle, name=name)
        made.append(Version(serving_image(docker_client, image_registry.address, bundle, digest), digest))
    yield made
    for version in made:
        with contextlib.suppress(docker.errors.APIError):
            docker_client.images.remove(version.image, force=True)


@pytest.fixture
def endpoint(docker_client: Any) -> Iterator[Endpoint]:
    with endpoint_of_its_own(docker_client) as made:
        yield made
