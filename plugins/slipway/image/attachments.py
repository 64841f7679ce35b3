"""What belongs to an image, attached to it as referrers: its bill of materials, its provenance, its signature."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.containers.registry import Registry
from slipway.core.bundle import Metadata
from slipway.image import provenance, sbom, signature
from slipway.image.artifact import Artifact
from slipway.image.assembly import Image
from slipway.image.base_sbom import find_sbom, make_sbom
from slipway.image.base_source import BaseSource
from slipway.image.keys import SigningKey, VerifyingKey
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

    A provenance tells of the run that built the image: a later run that finds the image adds none of its own.
    """
    there = {str(one.get("artifactType")) for one in registry.referrers(image.manifest.digest)}
    repository, digest = str(registry.repository), image.manifest.digest
    done = []
    if sbom.MEDIA_TYPE not in there:
        bill = sbom.sbom_of_image(_base_sbom(base), metadata, recipe.bundle_digest, repository)
        attach(registry, sbom.sbom_artifact(bill), image.manifest)
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


def verify_signature(registry: Registry, digest: str, key: VerifyingKey) -> None:
    """Hold the signatures of an image against a key. Raises RejectedError: none of them is by it."""
    signature.verify_image(_signatures(registry, digest), repository=str(registry.repository), digest=digest, key=key)


def _signatures(registry: Registry, digest: str) -> Iterator[Artifact]:
    for found in registry.referrers(digest):
        if found.get("artifactType") != signature.ARTIFACT_TYPE:
            continue
        for layer in registry.get_manifest(found["digest"]).value.get("layers", ()):
            data = registry.read_blob(layer["digest"])
            yield Artifact(signature.ARTIFACT_TYPE, layer["mediaType"], data, layer.get("annotations") or {})


def _base_sbom(base: BaseSource) -> bytes:
    """The one that is attached to the base, or else one made of its layers."""
    if isinstance(base.source, Registry) and (found := find_sbom(base.source, base.image)):
        return found
    return make_sbom(base.source, base.image, base.name)


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
