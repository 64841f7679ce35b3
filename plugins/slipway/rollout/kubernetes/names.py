"""What a model's objects on a cluster are called, and the labels by which they are found again; pure."""

from __future__ import annotations

import re
from typing import Literal

from slipway.cluster.labels import MODEL, TRACK
from slipway.core.identity import sha256_hex

Track = Literal["main", "canary", "blue", "green"]

BUNDLE = "slipway.dev/bundle"
VERSION = "slipway.dev/version"  # annotations of a Deployment
VERSION_ID = "slipway.dev/version-id"
TARGET = "slipway.dev/target"  # the model file's section that it was served by
MANAGED_BY = {"app.kubernetes.io/managed-by": "slipway"}

MAX_NAME = 46  # with the longest suffix, of the ConfigMap with the key hashes, it still is a label of 63
_HASH_LENGTH = 10
_PLAIN = re.compile(rf"[a-z](?:[a-z0-9-]{{0,{MAX_NAME - 2}}}[a-z0-9])?")
# The API server's own Service, every namespace's own ServiceAccount, and Slipway's of serving/k8s/rbac.
_RESERVED = {"kubernetes", "default", "slipway"}
# Would be taken for another model's: the name of a track of it, or one that was given a hash.
_TAKEN = re.compile(rf".*-(?:canary|blue|green|[0-9a-f]{{{_HASH_LENGTH}}})")


def object_name(model: str) -> str:
    """A DNS-1035 label of at most 46 characters: the model's name if it is one, else made of it and a hash of it.

    No two models share one, and no suffix of ours makes one model's name another's.
    """
    if _PLAIN.fullmatch(model) and not _TAKEN.fullmatch(model) and model not in _RESERVED:
        return model
    readable = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
    start = readable if readable[:1].isalpha() else f"m-{readable}"
    start = start[: MAX_NAME - _HASH_LENGTH - 1].rstrip("-")
    return f"{start}-{sha256_hex(model.encode())[:_HASH_LENGTH]}"


def deployment_name(model: str, track: Track) -> str:
    """The Deployment of a track."""
    return object_name(model) if track == "main" else f"{object_name(model)}-{track}"


def labels(model: str) -> dict[str, str]:
    """What every object of the model carries; what carries them is ours to change and to remove."""
    name = object_name(model)
    return {**MANAGED_BY, "app.kubernetes.io/name": "model-server", "app.kubernetes.io/instance": name, MODEL: model}


def track_labels(model: str, track: Track) -> dict[str, str]:
    """What selects the pods of a track; part of its Deployment's selector, so that it never changes."""
    return {MODEL: model, TRACK: track}
