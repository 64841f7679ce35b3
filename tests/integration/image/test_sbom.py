"""The SBOM of real images lists what their own `pip freeze` and `dpkg-query` list, for every interpreter in them.

pip comes from outside: the served image has none. It lists what its interpreter would import, and knows nothing of layers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from slipway.core.bundle import Metadata
from slipway.image.packages import find_packages
from slipway.image.sbom import sbom_of_base, sbom_of_image
from tests.docker_host import PYTHON_IMAGE, require_engine
from tests.integration.image.image_contents import Inside, image_of, saved_layers
from tests.serving_base import ensure_serving_base

# In upper layers: packages removed, one replaced, a second environment with pip, remains of an interrupted uninstallation, a
# package in Debian's own folder in the old form, and a Debian package of which only the configuration is left.
CHANGED = r"""
FROM {base}
USER 0
RUN python3 -m venv --copies /opt/other && cd /opt/venv/lib/python3.11/site-packages && rm -r blinker* click* \
 && mkdir click-99.dist-info ~ip-1.dist-info \
 && printf 'Metadata-Version: 2.1\nName: Click\nVersion: 99\n' > click-99.dist-info/METADATA
RUN /opt/other/bin/python3 -m pip uninstall -qy setuptools && mkdir -p /usr/lib/python3/dist-packages \
 && printf 'Metadata-Version: 1.1\nName: old_form\nVersion: 1.0\n' > /usr/lib/python3/dist-packages/old_form-1.0.egg-info \
 && dpkg --remove --force-depends --force-remove-essential login
"""


@pytest.fixture(scope="module")
def engine() -> Any:
    return require_engine(PYTHON_IMAGE)


@pytest.fixture(scope="module", params=["as built", "changed in upper layers"])
def image(engine: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    base = ensure_serving_base(engine.api)
    if request.param == "as built":
        yield base
        return
    with image_of(engine, CHANGED.format(base=base)) as name:
        yield name


@pytest.fixture(scope="module")
def sbom(engine: Any, image: str) -> bytes:
    with saved_layers(engine, image) as layers:
        return sbom_of_base(find_packages(layers, image=image))


@pytest.fixture(scope="module")
def interpreters(engine: Any, image: str) -> list[str]:
    found = Inside(engine, image).run("find", "/usr", "/opt", "-path", "*/bin/python3")
    assert "/opt/venv/bin/python3" in found
    return found


def purls(sbom: bytes, kind: str) -> list[tuple[dict[str, Any], PackageURL]]:
    pairs = [(each, PackageURL.from_string(each["purl"])) for each in json.loads(sbom)["components"]]
    return [(component, purl) for component, purl in pairs if purl.type == kind]


def test_it_lists_the_python_packages_that_pip_lists(
    engine: Any, image: str, interpreters: list[str], sbom: bytes
) -> None:
    inside = Inside(engine, image)
    frozen = {line for program in interpreters for line in inside.run(program, "-m", "pip", "freeze", "--all")}
    assert {f"{component['name']}=={component['version']}" for component, _ in purls(sbom, "pypi")} == frozen


def test_it_names_every_folder_that_a_package_is_in(
    engine: Any, image: str, interpreters: list[str], sbom: bytes
) -> None:
    script = "import importlib.metadata as m; print(*{str(d.locate_file('')) for d in m.distributions()}, sep='\\n')"
    inside = Inside(engine, image)
    seen = {line for program in interpreters for line in inside.run(program, "-c", script)} - {"", "/outside"}
    places = [place for component, _ in purls(sbom, "pypi") for place in component["evidence"]["occurrences"]]
    assert {f"/{place['location']}" for place in places} == seen


def test_it_lists_the_debian_packages_that_dpkg_lists(engine: Any, image: str, sbom: bytes) -> None:
    pattern = "${db:Status-Status} ${Package} ${Version} ${Architecture} ${source:Package}\n"
    rows = [line.split(" ") for line in Inside(engine, image).run("dpkg-query", "-W", "-f", pattern)]
    expected = {tuple(row[1:]) for row in rows if row[0] != "config-files"}
    assert len(expected) > 50
    listed = set()
    for component, purl in purls(sbom, "deb"):
        assert purl.qualifiers["distro"] == "debian-12"
        source = purl.qualifiers.get("upstream", component["name"]).partition("@")[0]
        listed.add((component["name"], component["version"], purl.qualifiers["arch"], source))
    assert listed == expected


def test_with_a_model_it_is_valid_by_the_official_schema(sbom: bytes) -> None:
    metadata = Metadata(
        model="iris",
        model_id="a" * 64,
        dataset_id="b" * 64,
        task="regression",
        target="y",
        features=(),
        classes=None,
        runtime="onnx",
        runtime_reason="it agrees",
        metrics={},
        versions={"scikit-learn": "1.9.1"},
        created="2026-01-01T00:00:00+00:00",
    )
    document = sbom_of_image(sbom, metadata, f"sha256:{'c' * 64}", "registry.example.com/iris")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document.decode()) is None
