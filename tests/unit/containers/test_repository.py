from __future__ import annotations

import pytest

from slipway.containers.repository import Repository, split_image
from slipway.core.errors import ConfigurationError

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("name", "registry", "path", "api_host", "loopback"),
    [
        ("registry.example.com/flights", "registry.example.com", "flights", "registry.example.com", False),
        ("registry.example.com:5000/a/b", "registry.example.com:5000", "a/b", "registry.example.com:5000", False),
        ("docker.io/team/flights", "docker.io", "team/flights", "registry-1.docker.io", False),
        ("localhost/x", "localhost", "x", "localhost", True),
        ("127.0.0.1:5000/x", "127.0.0.1:5000", "x", "127.0.0.1:5000", True),
        ("127.9.9.9:5000/x", "127.9.9.9:5000", "x", "127.9.9.9:5000", True),
        ("128.0.0.1:5000/x", "128.0.0.1:5000", "x", "128.0.0.1:5000", False),
        ("localhost.example.com/x", "localhost.example.com", "x", "localhost.example.com", False),
    ],
)
def test_a_repository_has_a_registry_and_a_path(
    name: str, registry: str, path: str, api_host: str, loopback: bool
) -> None:
    found = Repository.parse(name)
    assert (found.registry, found.path, found.api_host, found.is_loopback) == (registry, path, api_host, loopback)
    assert str(found) == name
    assert split_image(found.at(DIGEST)) == (found, DIGEST)


@pytest.mark.parametrize("name", ["flights", "team/flights", "/flights", "", "registry.example.com/"])
def test_a_name_without_a_registry_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed: a registry's host, a slash and a path"):
        Repository.parse(name)


@pytest.mark.parametrize(
    "digest", ["", "latest", "sha256:abc", DIGEST + "0", DIGEST.upper(), DIGEST.replace("256", "512")]
)
def test_an_image_is_named_by_digest(digest: str) -> None:
    with pytest.raises(ConfigurationError, match="it has no digest"):
        split_image(f"registry.example.com/x@{digest}")
