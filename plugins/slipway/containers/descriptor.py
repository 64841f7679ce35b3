"""Media types and descriptors of the OCI image specification 1.1 (opencontainers/image-spec)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from slipway.core.errors import RejectedError
from slipway.core.identity import sha256_hex

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"

MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_INDEX)
# What Docker calls the layers that OCI has under another name; the bytes are the same.
LAYER_TYPES = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{OCI_LAYER}+gzip",
    "application/vnd.docker.image.rootfs.diff.tar": OCI_LAYER,
    f"{OCI_LAYER}+gzip": f"{OCI_LAYER}+gzip",
    f"{OCI_LAYER}+zstd": f"{OCI_LAYER}+zstd",
    OCI_LAYER: OCI_LAYER,
}
EMPTY_CONFIG = b"{}"


def digest_of(data: bytes) -> str:
    """``sha256:<hex>`` of some bytes."""
    return f"sha256:{sha256_hex(data)}"


@dataclass(frozen=True)
class Manifest:
    """A manifest or an index: its bytes, which are what the digest is of, and its media type."""

    data: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """``sha256:<hex>``."""
        return digest_of(self.data)

    @property
    def value(self) -> dict[str, Any]:
        """The JSON object.

        Raises:
            RejectedError: it is none.
        """
        try:
            found = json.loads(self.data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            fix = "Push the image again."
            raise RejectedError("could not read the manifest", on=self.digest, why="it is no JSON object", fix=fix)
        return found

    @property
    def descriptor(self) -> dict[str, Any]:
        """How another manifest names this one."""
        return describe(self.media_type, self.data)


def describe(media_type: str, data: bytes) -> dict[str, Any]:
    """A descriptor of some bytes."""
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}
