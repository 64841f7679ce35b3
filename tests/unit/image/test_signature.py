"""An image's signature: in cosign's form, and every way in which it can fail to hold."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.core.errors import RejectedError
from slipway.image.artifact import Artifact
from slipway.image.keys import SigningKey, load_signing_key
from slipway.image.signature import ANNOTATION, sign_image, signature_tag, verify_image
from tests.unit.image.openssl import accepts, make_key, public_of

REPOSITORY, DIGEST, OTHER = "registry.example.com:5000/iris", f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def key(number: int = 0, kind: str = "P-256") -> SigningKey:
    return load_signing_key(make_key(kind, number), on="a test")


def verify(
    *found: Artifact, repository: str = REPOSITORY, digest: str = DIGEST, signer: SigningKey | None = None
) -> None:
    verify_image(found, repository=repository, digest=digest, key=(signer or key()).public)


def signed(payload: bytes) -> Artifact:
    signature = base64.b64encode(key().sign(payload)).decode()
    return dataclasses.replace(sign_image(REPOSITORY, DIGEST, key()), data=payload, annotations={ANNOTATION: signature})


def test_it_has_cosigns_form() -> None:
    artifact = sign_image(REPOSITORY, DIGEST, key())
    assert artifact.artifact_type == "application/vnd.dev.cosign.artifact.sig.v1+json"
    assert artifact.media_type == "application/vnd.dev.cosign.simplesigning.v1+json"
    # Byte for byte what cosign 2.5.0 writes, which verified such signatures, and whose own passed `verify_image`.
    assert artifact.data.decode() == (
        f'{{"critical":{{"identity":{{"docker-reference":"{REPOSITORY}"}},"image":{{"docker-manifest-digest":"{DIGEST}"}},'
        '"type":"cosign container image signature"},"optional":null}'
    )
    assert list(artifact.annotations) == ["dev.cosignproject.cosign/signature"]
    assert signature_tag(DIGEST) == f"sha256-{'a' * 64}.sig"


@pytest.mark.parametrize("kind", ["P-256", "Ed25519"])
def test_openssl_accepts_it_and_a_retry_makes_the_same(kind: str) -> None:
    artifact = sign_image(REPOSITORY, DIGEST, key(0, kind))
    assert artifact == sign_image(REPOSITORY, DIGEST, key(0, kind))
    assert accepts(public_of(make_key(kind, 0)), base64.b64decode(artifact.annotations[ANNOTATION]), artifact.data)
    verify(artifact, signer=key(0, kind))


def test_one_good_signature_suffices_whoever_else_signed() -> None:
    broken = Artifact("", "", b"", {})
    verify(sign_image(REPOSITORY, DIGEST, key(1)), broken, sign_image(REPOSITORY, DIGEST, key()))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (list, "it has no signature"),
        (lambda: [sign_image(REPOSITORY, DIGEST, key(1))], "it is signed by another key than [0-9a-f]{12}"),
        (lambda: [sign_image(REPOSITORY, OTHER, key())], f"our key signed another image: {OTHER}"),
        (lambda: [sign_image("elsewhere/iris", DIGEST, key())], "for another repository: elsewhere/iris"),
        (lambda: [Artifact("", "", b"{}", {})], "a signature is malformed"),
        (lambda: [Artifact("", "", b"{}", {ANNOTATION: "no base 64 §"})], "a signature is malformed"),
        (lambda: [Artifact("", "", b"{}", {ANNOTATION: "AAAA"})], "signed by another key"),
        (lambda: [signed(b" " * 100_000)], "a signature is malformed"),
        (lambda: [signed(b"no JSON")], "our key signed something that is no claim about an image"),
        (lambda: [signed(b'{"critical": []}')], "our key signed something that is no claim about an image"),
        (lambda: [signed(b"[" * 60_000)], "our key signed something that is no claim about an image"),
        (
            lambda: [signed(sign_image(REPOSITORY, DIGEST, key()).data.replace(b"cosign container", b"other"))],
            "our key signed something of another type: other image signature",
        ),
    ],
)
def test_what_does_not_hold_is_refused_with_what_was_found(found: Callable[[], list[Artifact]], expected: str) -> None:
    with pytest.raises(RejectedError, match=f"{REPOSITORY}@{DIGEST}: .*{expected}"):
        verify(*found())


def test_a_text_changed_after_signing_is_refused() -> None:
    artifact = sign_image(REPOSITORY, OTHER, key())
    changed = dataclasses.replace(artifact, data=artifact.data.replace(b"b" * 64, b"a" * 64))
    with pytest.raises(RejectedError, match="or was changed since"):
        verify(changed)


def test_signatures_without_end_are_not_all_read() -> None:
    with pytest.raises(RejectedError, match="signed by another key"):
        verify_image(
            repeat(sign_image(REPOSITORY, DIGEST, key(1))), repository=REPOSITORY, digest=DIGEST, key=key().public
        )


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255), st.booleans())
def test_no_changed_byte_passes(place: int, change: int, in_payload: bool) -> None:
    artifact = sign_image(REPOSITORY, DIGEST, key())
    raw = bytearray(artifact.data if in_payload else base64.b64decode(artifact.annotations[ANNOTATION]))
    raw[place % len(raw)] ^= change
    annotations = artifact.annotations if in_payload else {ANNOTATION: base64.b64encode(raw).decode()}
    with pytest.raises(RejectedError):
        verify(dataclasses.replace(artifact, data=bytes(raw) if in_payload else artifact.data, annotations=annotations))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=50))
def test_whatever_lies_beside_an_image_is_refused(data: bytes, annotation: str) -> None:
    with pytest.raises(RejectedError):
        verify(Artifact("", "", data, {ANNOTATION: annotation}))
