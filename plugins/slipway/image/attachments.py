"""What belongs to an image, attached to it as referrers: its bill of materials, its provenance, its signature."""

from __future__ import annotations

import contextlib

from slipway.containers.registry import Registry
from slipway.core.bundle import Metadata
from slipway.core.errors import RejectedError
from slipway.image import provenance, sbom, signature
from slipway.image.artifact import Artifact
from slipway.image.assembly import Image
from slipway.image.base_sbom import attached_sboms, make_sbom
from slipway.image.base_source import BaseSource
from slipway.image.keys import SigningKey
from slipway.image.push import attach
from slipway.image.recipe import Recipe


def attach_all(
    registry: Registry,
    image: Image,
    base: BaseSource,
    recipe: Recipe,
    metadata: Metadata,
    *,
    key: SigningKey | None,
    run_id: str,
) -> tuple[str, ...]:
    """Attach what is not attached yet; returns the names of what was.

    A provenance tells of the run that built the image: a later run adds none of its own, unless it is the first with a key,
    which seals what only it can vouch for.
    """
    there = {str(one.get("artifactType")) for one in registry.referrers(image.manifest.digest)}
    repository, digest = str(registry.repository), image.manifest.digest
    done = []
    if attach(registry, _sbom(base, metadata, recipe.bundle_digest, repository), image.manifest):
        done.append("SBOM")
    made = provenance.provenance_artifact(_build(repository, digest, base, recipe, metadata, run_id), key)
    if made.artifact_type not in there:
        attach(registry, made, image.manifest, provenance.attestation_tag(digest) if key else None)
        done.append("provenance")
    if key:
        signed = signature.sign_image(repository, digest, key)
        if attach(registry, signed, image.manifest, signature.signature_tag(digest)):
            done.append("signature")
    return tuple(done)


def _sbom(base: BaseSource, metadata: Metadata, bundle_digest: str, repository: str) -> Artifact:
    """From the bill that is attached to the base, or else from the base's layers; what others attached may be anything."""
    if isinstance(base.source, Registry):
        for found in attached_sboms(base.source, base.image):
            with contextlib.suppress(RejectedError):
                return sbom.sbom_artifact(sbom.sbom_of_image(found, metadata, bundle_digest, repository))
    made = make_sbom(base.source, base.image, base.name)
    return sbom.sbom_artifact(sbom.sbom_of_image(made, metadata, bundle_digest, repository))


def _build(
    repository: str, digest: str, base: BaseSource, recipe: Recipe, metadata: Metadata, run_id: str
) -> provenance.Build:
    return provenance.Build(
        repository=repository,
        digest=digest,
        model=metadata.model,
        model_id=metadata.model_id,
        dataset_id=metadata.dataset_id,
        bundle_digest=recipe.bundle_digest,
        base_image=base.name.partition("@")[0],
        base_digest=base.digest,
        builder=recipe.builder,
        run_id=run_id,
    )
