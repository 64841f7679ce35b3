"""The SBOM: held against CycloneDX's own schema, the same bytes for the same inputs, and names as the registries know them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from slipway.core.bundle import Metadata
from slipway.core.errors import RejectedError
from slipway.core.release import Interval
from slipway.image.package_records import DebianPackage, Distro, PythonPackage
from slipway.image.packages import ImagePackages
from slipway.image.sbom import sbom_artifact, sbom_of_base, sbom_of_image

SITE = "opt/venv/lib/python3.11/site-packages"
PACKAGES = ImagePackages(
    python=(
        PythonPackage("Flask", "3.1.3", SITE, "BSD-3-Clause"),
        PythonPackage("Flask", "3.1.3", "usr/lib/python3/dist-packages"),
        PythonPackage("zope.interface_x", "1.0+local.1", SITE),
        PythonPackage("unversioned", "", SITE),
    ),
    debian=(
        DebianPackage("libstdc++6", "12.2.0-14+deb12u1", "amd64", "gcc-12"),
        DebianPackage("tzdata", "1:2024a~rc1-0", "all", "tz@1:2024a"),
    ),
    distro=Distro("debian", "12"),
)
METADATA = Metadata(
    model="iris",
    model_id="a" * 64,
    dataset_id="b" * 64,
    task="classification",
    target="species",
    features=(),
    classes=("setosa", "versicolor"),
    runtime="onnx",
    runtime_reason="it agrees",
    metrics={"accuracy": Interval(value=0.97, low=0.93, high=1.0)},
    versions={"scikit-learn": "1.9.1", "python": "3.11.7"},
    created="2026-01-01T00:00:00+00:00",
)
DIGEST = f"sha256:{'c' * 64}"
REPOSITORY = "registry.example.com/iris"


def whole(packages: ImagePackages = PACKAGES, metadata: Metadata = METADATA, digest: str = DIGEST) -> bytes:
    return sbom_of_image(sbom_of_base(packages), metadata, digest, REPOSITORY)


def components(sbom: bytes) -> dict[str, dict[str, Any]]:
    return {component["bom-ref"]: component for component in json.loads(sbom)["components"]}


def assert_valid(sbom: bytes) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom.decode()) is None


@pytest.mark.parametrize("sbom", [sbom_of_base(PACKAGES), whole(), sbom_of_base(ImagePackages((), (), Distro()))])
def test_it_is_valid_by_the_official_schema(sbom: bytes) -> None:
    assert_valid(sbom)


def test_the_official_schema_finds_a_mistake() -> None:
    wrong = json.loads(whole()) | {"serialNumber": "urn:uuid:1"}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(wrong)) is not None


def test_packages_are_named_as_registries_and_scanners_know_them() -> None:
    assert sorted(components(sbom_of_base(PACKAGES))) == [
        "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=gcc-12",
        "pkg:deb/debian/tzdata@1:2024a~rc1-0?arch=all&distro=debian-12&upstream=tz%401:2024a",
        "pkg:pypi/flask@3.1.3",
        "pkg:pypi/unversioned",
        "pkg:pypi/zope-interface-x@1.0%2Blocal.1",
    ]


def test_one_version_in_two_folders_is_one_component_that_names_both() -> None:
    flask = components(sbom_of_base(PACKAGES))["pkg:pypi/flask@3.1.3"]
    assert flask["name"] == "Flask"
    assert flask["licenses"] == [{"expression": "BSD-3-Clause", "acknowledgement": "declared"}]
    assert [place["location"] for place in flask["evidence"]["occurrences"]] == [SITE, "usr/lib/python3/dist-packages"]


def test_the_model_is_a_component_with_its_card() -> None:
    document = json.loads(whole())
    model = components(whole())[f"model:iris@{'a' * 64}"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "iris", "a" * 64)
    assert model["hashes"] == [{"alg": "SHA-256", "content": "c" * 64}]
    assert {each["name"]: each["value"] for each in model["properties"]} == {
        "slipway:dataset_id": "b" * 64,
        "slipway:runtime": "onnx",
        "slipway:target": "species",
        "slipway:task": "classification",
        "slipway:trained_with:python": "3.11.7",
        "slipway:trained_with:scikit-learn": "1.9.1",
    }
    assert model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "accuracy", "value": "0.97", "confidenceInterval": {"lowerBound": "0.93", "upperBound": "1.0"}}
    ]
    assert document["metadata"]["component"]["name"] == REPOSITORY
    assert document["dependencies"] == [{"ref": f"image:{REPOSITORY}", "dependsOn": sorted(components(whole()))}]


def test_what_the_base_holds_is_kept() -> None:
    base, image = components(sbom_of_base(PACKAGES)), components(whole())
    assert {ref: component for ref, component in image.items() if not ref.startswith("model:")} == base


def test_same_inputs_same_bytes_and_other_inputs_another_number() -> None:
    other = dataclasses.replace(PACKAGES, debian=PACKAGES.debian[:1])
    assert whole() == whole()
    numbers = {
        json.loads(sbom)["serialNumber"]
        for sbom in (
            whole(),
            whole(other),
            whole(digest=f"sha256:{'d' * 64}"),
            whole(metadata=METADATA.model_copy(update={"created": "2026-01-02T00:00:00+00:00"})),
            sbom_of_base(PACKAGES),
        )
    }
    assert len(numbers) == 5


@pytest.mark.parametrize(
    "base",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"specVersion": "1.6", "components": [1]}',
        b'{"specVersion": "1.5", "components": []}',
    ],
)
def test_another_document_in_place_of_the_base_is_refused(base: bytes) -> None:
    with pytest.raises(RejectedError, match="is no CycloneDX"):
        sbom_of_image(base, METADATA, DIGEST, REPOSITORY)


def test_it_is_attached_under_the_registered_media_type() -> None:
    artifact = sbom_artifact(whole())
    assert artifact.artifact_type == artifact.media_type == "application/vnd.cyclonedx+json"
    assert artifact.data == whole()


words = st.text("abcxyz019+~.-_", min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(words, words), unique_by=lambda pair: pair, max_size=5))
def test_every_name_and_version_comes_back_out_of_its_purl(pairs: list[tuple[str, str]]) -> None:
    packages = ImagePackages((), tuple(DebianPackage(name, version, "amd64") for name, version in pairs), Distro())
    sbom = sbom_of_base(packages)
    assert_valid(sbom)
    purls = [PackageURL.from_string(component["purl"]) for component in json.loads(sbom)["components"]]
    assert sorted((purl.name, purl.version) for purl in purls) == sorted(pairs)
