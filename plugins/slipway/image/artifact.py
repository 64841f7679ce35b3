"""What is attached to an image: one blob, and how a registry is told what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Artifact:
    """One blob that is pushed as a manifest whose `subject` is the image (OCI image specification 1.1).

    Attributes:
        artifact_type: the manifest's `artifactType`, by which a client picks among an image's referrers.
        media_type: of the blob, the manifest's only layer.
        data: the blob.
        annotations: of that layer's descriptor, not of the manifest: that is where cosign and BuildKit look.
    """

    artifact_type: str
    media_type: str
    data: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)
