"""What is attached to an image: found as referrers, and a signature that is asked for before a rollout."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from slipway.containers.registry import Registry as RegistryClient
from slipway.containers.registry import referrers_tag
from slipway.containers.registry_session import RegistrySession
from slipway.containers.repository import split_image
from slipway.core.errors import RejectedError
from slipway.image.job import Built
from tests.docker_host import Registry
from tests.integration.image.image_build import StoredBundle
from tests.parts import require_program


@pytest.fixture
def repository(registry_server: Registry, tmp_path: Path) -> str:
    return f"{registry_server.address}/{tmp_path.name.lower()}"


def new_key() -> str:
    """A private key in PEM, as README tells to make one."""
    command = [require_program("openssl"), "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def attached(built: Built) -> dict[str, bytes]:
    """What is attached, by media type."""
    repository, digest = split_image(built.image)
    registry = RegistryClient(RegistrySession(repository))
    found = {}
    for referrer in registry.referrers(digest):
        manifest = registry.get_manifest(referrer["digest"]).value
        assert manifest["subject"]["digest"] == digest
        assert manifest["artifactType"] == referrer["artifactType"]
        [layer] = manifest["layers"]
        found[layer["mediaType"]] = registry.read_blob(layer["digest"])
    return found


def test_bill_of_materials_and_provenance(stored: StoredBundle, repository: str, base: str) -> None:
    built = stored.build(repository, base)
    assert built.attached == ("SBOM", "provenance")
    found = attached(built)
    bill = json.loads(found["application/vnd.cyclonedx+json"])
    names = {component["name"] for component in bill["components"]}
    assert {"onnxruntime", "flask", "numpy", "iris", "libc6"} <= {name.lower() for name in names}
    [model] = [one for one in bill["components"] if one["type"] == "machine-learning-model"]
    assert model["hashes"] == [{"alg": "SHA-256", "content": stored.digest.removeprefix("sha256:")}]
    statement = json.loads(found["application/vnd.in-toto+json"])
    assert statement["subject"] == [{"name": repository, "digest": {"sha256": built.image.partition("@sha256:")[2]}}]
    materials = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert base.partition("@sha256:")[2] in {item["digest"]["sha256"] for item in materials if "digest" in item}
    # The tag that cosign, oras and others read where a registry has no API for referrers.
    name, digest = split_image(built.image)
    index = RegistryClient(RegistrySession(name)).get_manifest(referrers_tag(digest)).value
    assert {one["artifactType"] for one in index["manifests"]} == set(found)


def test_a_signature_is_made_and_asked_for(
    stored: StoredBundle, repository: str, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SIGNER", json.dumps({"conn_type": "generic", "password": new_key()}))
    monkeypatch.setenv("AIRFLOW_CONN_STRANGER", json.dumps({"conn_type": "generic", "password": new_key()}))
    unsigned = stored.build(repository, base)
    with pytest.raises(RejectedError, match="it has no signature"):
        stored.job(repository, signing_conn_id="signer").verify(unsigned.image)
    signed = stored.build(repository, base, signing_conn_id="signer")
    assert (signed.image, signed.changed) == (unsigned.image, False)
    assert signed.attached == ("provenance", "signature")  # the former in an envelope now, which is sealed
    stored.job(repository, signing_conn_id="signer").verify(signed.image)
    with pytest.raises(RejectedError, match="it is signed by another key than"):
        stored.job(repository, signing_conn_id="stranger").verify(signed.image)
    assert stored.build(repository, base, signing_conn_id="signer").attached == ()
    envelope = json.loads(attached(signed)["application/vnd.dsse.envelope.v1+json"])
    name, digest = split_image(signed.image)
    by_tag = RegistryClient(RegistrySession(name)).get_manifest(f"{digest.replace(':', '-')}.sig").value  # cosign's way
    assert by_tag["subject"]["digest"] == digest
    assert json.loads(base64.b64decode(envelope["payload"]))["predicateType"] == "https://slsa.dev/provenance/v1"


def test_a_signature_counts_for_its_own_image_only(
    stored: StoredBundle, repository: str, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who may push moves our signature of one image to another."""
    monkeypatch.setenv("AIRFLOW_CONN_SIGNER", json.dumps({"conn_type": "generic", "password": new_key()}))
    signed = stored.build(repository, base, signing_conn_id="signer")
    other = StoredBundle(tmp_path / "other", "two").build(repository, base)
    name, digest = split_image(signed.image)
    registry = RegistryClient(RegistrySession(name))
    moved = registry.get_manifest(referrers_tag(digest))
    registry.put_manifest(moved, referrers_tag(split_image(other.image)[1]))
    with pytest.raises(RejectedError, match=f"our key signed another image: {digest}"):
        stored.job(repository, signing_conn_id="signer").verify(other.image)
