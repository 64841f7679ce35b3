"""The signatures that are attached to an image, held against a key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slipway.containers.registry import Registry
from slipway.core.errors import AbsentError, RejectedError
from slipway.image import signature
from slipway.image.artifact import Artifact
from slipway.image.keys import VerifyingKey


def verify_signature(registry: Registry, digest: str, key: VerifyingKey) -> None:
    """Hold the signatures of an image against a key. Raises RejectedError: none of them is by it."""
    signature.verify_image(_signatures(registry, digest), repository=str(registry.repository), digest=digest, key=key)


def referrer_layers(registry: Registry, referrer: dict[str, Any]) -> list[dict[str, Any]]:
    """Descriptors of what a referrer holds; none where it is gone or is not what it should be: anybody may attach anything."""
    try:
        layers = registry.get_manifest(str(referrer["digest"])).value.get("layers") or []
    except (AbsentError, RejectedError):
        return []
    return [one for one in layers if isinstance(one, dict) and isinstance(one.get("digest"), str)]


def _signatures(registry: Registry, digest: str) -> Iterator[Artifact]:
    for found in registry.referrers(digest):
        if found.get("artifactType") != signature.ARTIFACT_TYPE:
            continue
        for layer in referrer_layers(registry, found):
            noted = layer.get("annotations")
            annotations = {name: str(value) for name, value in noted.items()} if isinstance(noted, dict) else {}
            try:
                data = registry.read_blob(layer["digest"])
            except (AbsentError, RejectedError):
                continue
            yield Artifact(signature.ARTIFACT_TYPE, str(layer.get("mediaType")), data, annotations)
