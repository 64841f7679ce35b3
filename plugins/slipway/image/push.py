"""Pushing an image that was put together here; what the registry has already is not sent."""

from __future__ import annotations

import io
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Protocol

from slipway.containers.descriptor import EMPTY_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, Manifest, describe
from slipway.containers.registry import Registry, referrers_tag
from slipway.core.identity import canonical_json
from slipway.image.artifact import Artifact
from slipway.image.assembly import Image
from slipway.image.layer import Layer

_AT_ONCE = 4  # requests that wait for a registry; more of them make a small one slower


class LayerSource(Protocol):
    """Where the base's layers come from."""

    def open_blob(self, digest: str) -> AbstractContextManager[BinaryIO]:
        """A layer as a stream."""


def push_image(registry: Registry, image: Image, layer: Layer, base: LayerSource, tag: str) -> None:
    """Push an image whose top layer is `layer`; the tag comes last, so that it never names half an image."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        parts = [pool.submit(_push_layer, registry, layer), pool.submit(_push_bytes, registry, image.config)]
        parts += [pool.submit(_ensure_layer, registry, descriptor, base) for descriptor in image.layers[:-1]]
        for part in parts:
            part.result()
    registry.put_manifest(image.manifest, tag)


def _push_layer(registry: Registry, layer: Layer) -> None:
    with layer.path.open("rb") as stream:
        registry.push_blob(layer.digest, stream, layer.size_bytes)


def _ensure_layer(registry: Registry, descriptor: dict[str, Any], base: LayerSource) -> None:
    """A layer of the base; a registry that has it in another repository copies it itself."""
    same = isinstance(base, Registry) and base.repository.registry == registry.repository.registry
    mount_from = base.repository.path if same and isinstance(base, Registry) else None
    with _LazyBlob(base, descriptor["digest"]) as source:
        registry.push_blob(descriptor["digest"], source, descriptor["size"], mount_from=mount_from)  # type: ignore[arg-type]


class _LazyBlob(io.RawIOBase):
    """A layer of the base as a seekable stream, fetched into a temporary file when it is first read."""

    def __init__(self, base: LayerSource, digest: str) -> None:
        super().__init__()
        self._base, self._digest = base, digest
        self._file: Any = None

    def _fetched(self) -> Any:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
            with self._base.open_blob(self._digest) as source:
                shutil.copyfileobj(source, self._file, 1 << 20)
        return self._file

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._fetched().seek(offset, whence))

    def read(self, size: int = -1) -> bytes:
        return bytes(self._fetched().read(size))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def attach(registry: Registry, artifact: Artifact, subject: Manifest, tag: str | None = None) -> bool:
    """Attach something to an image, as a manifest that has it as its subject; returns whether it was not there yet.

    `tag` is where a client looks that does not ask for referrers: cosign, for what it signs.

    A registry without the referrers API keeps the list under a tag, which the client has to write (distribution-spec 1.1,
    "Referrers Tag Schema").
    """
    _push_bytes(registry, EMPTY_CONFIG)
    _push_bytes(registry, artifact.data)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact.artifact_type,
        "config": describe(OCI_EMPTY, EMPTY_CONFIG),
        "layers": [{**describe(artifact.media_type, artifact.data), "annotations": artifact.annotations}],
        "subject": subject.descriptor,
    }
    made = Manifest(canonical_json(manifest), OCI_MANIFEST)
    if made.digest in {one["digest"] for one in registry.referrers(subject.digest)}:
        return False
    if tag:
        registry.put_manifest(made, tag)
    headers = registry.put_manifest(made)
    if "OCI-Subject" not in headers:
        listed = [*registry.referrers(subject.digest), {**made.descriptor, "artifactType": artifact.artifact_type}]
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
        registry.put_manifest(Manifest(canonical_json(index), OCI_INDEX), referrers_tag(subject.digest))
    return True


def _push_bytes(registry: Registry, data: bytes) -> None:
    registry.push_blob(describe("", data)["digest"], io.BytesIO(data), len(data))
