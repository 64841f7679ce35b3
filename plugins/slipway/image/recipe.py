"""What an image is made of, besides the base's layers: the same recipe gives the same image."""

from __future__ import annotations

from dataclasses import dataclass, field

from slipway.core.bundle import Metadata
from slipway.core.identity import content_id, short

BUNDLE_VARIABLE = "SLIPWAY_BUNDLE_DIGEST"
_VERSION = 1  # counted up when the same facts make another image, so that the older one is not taken for a stranger's
_OCI = "org.opencontainers.image"


@dataclass(frozen=True)
class Recipe:
    """One model version on one base.

    Attributes:
        base_digest: of the serving base's manifest; where it is kept does not matter.
        bundle_digest: of the bundle's manifest.
        layer_digest: of the layer with the bundle.
        created: RFC 3339; the bundle's, as the image has no time of its own.
        labels: for the image's configuration, and annotations of its manifest.
        builder: who makes it.
    """

    base_digest: str
    bundle_digest: str
    layer_digest: str
    created: str
    builder: str
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What the server in the image is told."""
        return {BUNDLE_VARIABLE: self.bundle_digest}

    @property
    def tag(self) -> str:
        """For people, and to find the image again: the model version, then all that the image depends on."""
        version = self.labels[f"{_OCI}.version"]
        facts = [
            _VERSION,
            self.base_digest,
            self.bundle_digest,
            self.layer_digest,
            self.created,
            self.builder,
            self.labels,
        ]
        return f"{version}-{content_id(facts)[:12]}"


def make_recipe(
    metadata: Metadata,
    *,
    base_digest: str,
    bundle_digest: str,
    layer_digest: str,
    builder: str,
    description: str = "",
    labels: dict[str, str] | None = None,
) -> Recipe:
    """The recipe of a bundle; `labels` are the model file's own and win over none of ours.

    The annotation keys are those of the OCI image specification (annotations.md).
    """
    ours = {
        f"{_OCI}.title": metadata.model,
        f"{_OCI}.description": description,
        f"{_OCI}.version": short(metadata.model_id),
        f"{_OCI}.revision": metadata.model_id,
        f"{_OCI}.created": metadata.created,
        f"{_OCI}.base.digest": base_digest,
        "dev.slipway.model": metadata.model,
        "dev.slipway.dataset": metadata.dataset_id,
        "dev.slipway.bundle": bundle_digest,
    }
    told = {name: value for name, value in ours.items() if value}
    return Recipe(base_digest, bundle_digest, layer_digest, metadata.created, builder, {**(labels or {}), **told})
