"""How an image came to be: an in-toto Statement v1 with a SLSA provenance v1 predicate.

It names what went in (base image, bundle, dataset) by digest and who put it together. There is no time in it: the same run
on the same inputs gives the same bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from slipway.core.identity import canonical_json
from slipway.image import envelope, signature
from slipway.image.artifact import Artifact
from slipway.image.keys import SigningKey

MEDIA_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
# What our parameters mean is written here, below; the names are not addresses of anything.
BUILD_TYPE = "urn:x-slipway:build:model-image:v1"
BUILDER = "urn:x-slipway:builder"


@dataclass(frozen=True)
class Build:
    """One build of an image.

    Attributes:
        repository: where the image was pushed, without tag and digest.
        digest: of its manifest, ``sha256:`` and 64 hex digits, as are the other digests.
        model: the model's name.
        model_id: the model's version.
        dataset_id: the dataset's version, the SHA-256 of its bytes.
        bundle_digest: of the bundle that the image serves.
        base_image: the name of the image below the bundle, without digest.
        base_digest: of its manifest.
        builder: the kind of builder, e.g. ``docker``.
        run_id: of the Airflow run.
        builder_id: a URI of the installation that built; whoever verifies decides whether to trust it.
    """

    repository: str
    digest: str
    model: str
    model_id: str
    dataset_id: str
    bundle_digest: str
    base_image: str
    base_digest: str
    builder: str
    run_id: str
    builder_id: str = BUILDER


def provenance_statement(build: Build) -> bytes:
    """The statement, JSON."""
    definition = {
        "buildType": BUILD_TYPE,
        "externalParameters": {"builder": build.builder, "model": build.model, "repository": build.repository},
        "internalParameters": {"modelId": build.model_id},
        "resolvedDependencies": _materials(build),
    }
    details = {"builder": {"id": build.builder_id}, "metadata": {"invocationId": build.run_id}}
    return canonical_json(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": build.repository, "digest": _digest_set(build.digest)}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {"buildDefinition": definition, "runDetails": details},
        }
    )


def provenance_artifact(build: Build, key: SigningKey | None = None) -> Artifact:
    """The statement as it is attached to its image; with a key in a DSSE envelope, else as it is.

    BuildKit marks its statements with the first annotation. Without the others cosign takes no notice of an envelope, though
    the signature is inside and the annotation for one is empty.
    """
    statement, annotations = provenance_statement(build), {"in-toto.io/predicate-type": PREDICATE_TYPE}
    if key is None:
        return Artifact(MEDIA_TYPE, MEDIA_TYPE, statement, annotations)
    annotations |= {"predicateType": PREDICATE_TYPE, signature.ANNOTATION: ""}
    sealed = envelope.seal(statement, MEDIA_TYPE, key)
    return Artifact(envelope.MEDIA_TYPE, envelope.MEDIA_TYPE, sealed, annotations)


def attestation_tag(digest: str) -> str:
    """The tag by which cosign finds the sealed statements about an image in its repository."""
    return f"{digest.replace(':', '-')}.att"


def _materials(build: Build) -> list[dict[str, Any]]:
    uri = build.base_image if build.base_image.startswith("oci:") else f"docker://{build.base_image}"
    base = {"name": "base image", "uri": uri, "digest": _digest_set(build.base_digest)}
    bundle = {"name": "bundle", "digest": _digest_set(build.bundle_digest)}
    dataset: dict[str, Any] = {"name": "dataset", "uri": f"urn:x-slipway:dataset:{build.dataset_id}"}
    if re.fullmatch(r"[0-9a-f]{64}", build.dataset_id):
        dataset["digest"] = _digest_set(build.dataset_id)
    return [base, bundle, dataset]


def _digest_set(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}
