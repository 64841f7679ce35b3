"""The name of an image repository, and an image in it by digest."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from slipway.core.errors import ConfigurationError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DOCKER_HUB = {"docker.io", "index.docker.io"}


@dataclass(frozen=True)
class Repository:
    """`registry` is ``host[:port]``, `path` what comes after it."""

    registry: str
    path: str

    @classmethod
    def parse(cls, name: str) -> Repository:
        """``registry.example.com/team/flights`` in its two parts.

        Raises:
            ConfigurationError: there is no registry in it.
        """
        registry, _, path = name.partition("/")
        if not path or not ("." in registry or ":" in registry or registry == "localhost"):
            why = "allowed: a registry's host, a slash and a path, like registry.example.com/flights"
            raise ConfigurationError(
                "could not use the image repository", on=name, why=why, fix="Correct image.repository."
            )
        return cls(registry, path)

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}"

    def at(self, digest: str) -> str:
        """The image with this digest, ``registry/path@sha256:<hex>``."""
        return f"{self}@{digest}"

    @property
    def api_host(self) -> str:
        """Where its API is: Docker Hub's is not where its name says."""
        return "registry-1.docker.io" if self.registry in _DOCKER_HUB else self.registry

    @property
    def is_loopback(self) -> bool:
        """On this machine; Docker, too, speaks plain HTTP to no other registry unless told so."""
        host = self.registry.rsplit(":", 1)[0].strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def split_image(image: str) -> tuple[Repository, str]:
    """``registry/path@sha256:<hex>`` as the repository and the digest.

    Raises:
        ConfigurationError: it is not that.
    """
    name, _, digest = image.partition("@")
    if not DIGEST.fullmatch(digest):
        raise ConfigurationError(
            "could not use the image", on=image, why="it has no digest sha256:<64 hex digits>", fix="Name it by digest."
        )
    return Repository.parse(name), digest
