"""An image's signature, as cosign makes and reads it with a key (cosign SIGNATURE_SPEC, payload "simple signing").

What is signed is a small JSON text that names repository and digest; the signature is an annotation beside it. cosign finds
it by `signature_tag`, or as a referrer with `--experimental-oci11`; Slipway looks for the referrer.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable

from slipway.core.errors import RejectedError
from slipway.core.identity import canonical_json
from slipway.image.artifact import Artifact
from slipway.image.keys import SigningKey, VerifyingKey

ARTIFACT_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json"
MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"

_TYPE = "cosign container image signature"
_MAX_PAYLOAD_BYTES = 64 << 10
_MAX_SIGNATURES = 100


def sign_image(repository: str, digest: str, key: SigningKey) -> Artifact:
    """The signature over an image.

    Args:
        repository: where the image is, without tag and digest.
        digest: of its manifest, ``sha256:`` and 64 hex digits.
        key: same key and image, same bytes.
    """
    payload = canonical_json(_claim(repository, digest) | {"optional": None})
    signature = base64.b64encode(key.sign(payload)).decode()
    return Artifact(ARTIFACT_TYPE, MEDIA_TYPE, payload, {ANNOTATION: signature})


def signature_tag(digest: str) -> str:
    """The tag by which cosign finds the signatures of an image in its repository."""
    return f"{digest.replace(':', '-')}.sig"


def verify_image(found: Iterable[Artifact], *, repository: str, digest: str, key: VerifyingKey) -> None:
    """Hold what was found beside an image against a key; one good signature suffices, whoever else signed.

    Args:
        found: the referrers of type `ARTIFACT_TYPE`, with the annotations of their layer.
        repository: where the image is.
        digest: of the image that is about to be rolled out.
        key: of whom we trust.

    Raises:
        RejectedError: there is none by this key over this image; the text says what was found instead.
    """
    faults: set[str] = set()
    for artifact, _ in zip(found, range(_MAX_SIGNATURES), strict=False):
        fault = _fault(artifact, repository, digest, key)
        if fault is None:
            return
        faults.add(fault)
    raise RejectedError(
        "could not verify the signature of an image",
        on=f"{repository}@{digest}",
        why="; ".join(sorted(faults)) or "it has no signature",
        fix="Do not roll it out unless you know who pushed it; a run with the signing key signs what it builds.",
    )


def _fault(artifact: Artifact, repository: str, digest: str, key: VerifyingKey) -> str | None:
    """What is wrong with a signature, None if nothing is. No text of a payload is looked at before its signature holds."""
    try:
        signature = base64.b64decode(artifact.annotations.get(ANNOTATION, ""), validate=True)
    except (binascii.Error, ValueError):
        return "a signature is malformed"
    if not signature or len(artifact.data) > _MAX_PAYLOAD_BYTES:
        return "a signature is malformed"
    if not key.verifies(signature, artifact.data):
        return f"it is signed by another key than {key.key_id[:12]}, or was changed since"
    return _false_claim(artifact.data, repository, digest)


def _false_claim(payload: bytes, repository: str, digest: str) -> str | None:
    try:
        critical = json.loads(payload)["critical"]
        claimed_digest, kind = critical["image"]["docker-manifest-digest"], critical["type"]
        reference = critical["identity"]["docker-reference"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "our key signed something that is no claim about an image"
    if kind != _TYPE:
        return f"our key signed something of another type: {str(kind)[:80]}"
    if claimed_digest != digest:
        return f"our key signed another image: {str(claimed_digest)[:80]}"
    if reference != repository:
        return f"our key signed this digest for another repository: {str(reference)[:200]}"
    return None


def _claim(repository: str, digest: str) -> dict[str, object]:
    identity, image = {"docker-reference": repository}, {"docker-manifest-digest": digest}
    return {"critical": {"identity": identity, "image": image, "type": _TYPE}}
