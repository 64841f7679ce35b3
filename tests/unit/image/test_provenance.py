"""Provenance: the statement's form, the same bytes for the same build, and envelopes that open for one key alone."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.core.errors import RejectedError
from slipway.image.envelope import open_envelope, seal
from slipway.image.keys import SigningKey, load_signing_key
from slipway.image.provenance import MEDIA_TYPE, Build, attestation_tag, provenance_artifact, provenance_statement
from tests.unit.image.openssl import accepts, make_key, public_of

BUILD = Build(
    repository="registry.example.com/iris",
    digest=f"sha256:{'a' * 64}",
    model="iris",
    model_id="b" * 64,
    dataset_id="c" * 64,
    bundle_digest=f"sha256:{'d' * 64}",
    base_image="python:3.11-slim-bookworm",
    base_digest=f"sha256:{'e' * 64}",
    builder="docker",
    run_id="scheduled__2013-01-05T00:00:00+00:00",
)


def key(number: int = 0) -> SigningKey:
    return load_signing_key(make_key("P-256", number), on="a test")


def test_the_statement_has_the_form_of_in_toto_and_slsa() -> None:
    assert json.loads(provenance_statement(BUILD)) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "registry.example.com/iris", "digest": {"sha256": "a" * 64}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:x-slipway:build:model-image:v1",
                "externalParameters": {"builder": "docker", "model": "iris", "repository": "registry.example.com/iris"},
                "internalParameters": {"modelId": "b" * 64},
                "resolvedDependencies": [
                    {
                        "name": "base image",
                        "uri": "docker://python:3.11-slim-bookworm",
                        "digest": {"sha256": "e" * 64},
                    },
                    {"name": "bundle", "digest": {"sha256": "d" * 64}},
                    {
                        "name": "dataset",
                        "uri": f"urn:x-slipway:dataset:{'c' * 64}",
                        "digest": {"sha256": "c" * 64},
                    },
                ],
            },
            "runDetails": {
                "builder": {"id": "urn:x-slipway:builder"},
                "metadata": {"invocationId": "scheduled__2013-01-05T00:00:00+00:00"},
            },
        },
    }


def test_a_dataset_id_that_is_no_digest_is_not_called_one() -> None:
    statement = json.loads(provenance_statement(dataclasses.replace(BUILD, dataset_id="d")))
    dataset = statement["predicate"]["buildDefinition"]["resolvedDependencies"][2]
    assert dataset == {"name": "dataset", "uri": "urn:x-slipway:dataset:d"}


def test_without_a_key_the_statement_is_attached_as_it_is() -> None:
    artifact = provenance_artifact(BUILD)
    assert artifact.artifact_type == artifact.media_type == "application/vnd.in-toto+json"
    assert artifact.data == provenance_statement(BUILD)
    assert artifact.annotations == {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}


def test_with_a_key_it_is_sealed_the_same_way_each_time() -> None:
    artifact = provenance_artifact(BUILD, key())
    assert artifact == provenance_artifact(BUILD, key())
    assert artifact.artifact_type == artifact.media_type == "application/vnd.dsse.envelope.v1+json"
    assert open_envelope(artifact.data, MEDIA_TYPE, key().public) == provenance_statement(BUILD)


def test_a_sealed_statement_is_marked_and_tagged_as_cosign_looks_for_it() -> None:
    assert provenance_artifact(BUILD, key()).annotations == {
        "in-toto.io/predicate-type": "https://slsa.dev/provenance/v1",
        "predicateType": "https://slsa.dev/provenance/v1",
        "dev.cosignproject.cosign/signature": "",
    }
    assert attestation_tag(BUILD.digest) == f"sha256-{'a' * 64}.att"


def test_openssl_accepts_the_signature_over_dsses_encoding() -> None:
    document = json.loads(seal(b"hello world", "http://example.com/HelloWorld", key()))
    assert base64.b64decode(document["payload"]) == b"hello world"
    # The example of the DSSE 1.0 protocol.
    signed = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    signature = document["signatures"][0]
    assert accepts(public_of(make_key("P-256", 0)), base64.b64decode(signature["sig"]), signed)
    assert signature["keyid"] == key().public.key_id


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        (lambda: provenance_artifact(BUILD, key(1)).data, "it is not signed by the key [0-9a-f]{12}"),
        (lambda: seal(b"{}", "text/plain", key()), "it holds text/plain, not application/vnd.in-toto"),
        (lambda: provenance_statement(BUILD), "it is no DSSE envelope"),
        (lambda: b"", "it is no DSSE envelope"),
        (lambda: b"[" * 100_000, "it is no DSSE envelope"),
        (lambda: b'{"payload": "?", "payloadType": "", "signatures": []}', "it is no DSSE envelope"),
        (
            lambda: b'{"payload": "", "payloadType": "application/vnd.in-toto+json", "signatures": []}',
            "is not signed by",
        ),
        (lambda: b'{"payload": 1, "payloadType": "", "signatures": [1]}', "it is no DSSE envelope"),
    ],
)
def test_an_envelope_that_does_not_hold_is_refused(envelope: Callable[[], bytes], expected: str) -> None:
    with pytest.raises(RejectedError, match=expected):
        open_envelope(envelope(), MEDIA_TYPE, key().public)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 255))
def test_no_changed_byte_gets_another_text_through(place: int, change: int) -> None:
    data = bytearray(provenance_artifact(BUILD, key()).data)
    data[place % len(data)] ^= change
    with contextlib.suppress(RejectedError):
        assert open_envelope(bytes(data), MEDIA_TYPE, key().public) == provenance_statement(BUILD)
