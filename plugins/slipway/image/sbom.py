"""The bill of materials of an image: CycloneDX 1.6, JSON (ECMA-424), with purls by the package-url specification.

It holds no clock and no random number: the same bundle on the same base image gives the same bytes, so a retry attaches
what is there already. It is attached to the image's manifest, and therefore does not name the image's digest itself.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import Any

from packageurl import PackageURL
from packaging.utils import canonicalize_name

from slipway.core.bundle import Metadata
from slipway.core.errors import RejectedError
from slipway.core.identity import canonical_json
from slipway.image.artifact import Artifact
from slipway.image.model_component import model_component
from slipway.image.package_records import DebianPackage, Distro, PythonPackage
from slipway.image.packages import ImagePackages

MEDIA_TYPE = "application/vnd.cyclonedx+json"


def sbom_of_base(packages: ImagePackages) -> bytes:
    """The SBOM of an image that holds no model yet: one component for each name and version, with where it was found."""
    components: dict[str, dict[str, Any]] = {}
    for package in packages.python:
        _add_python(components, package)
    for debian in packages.debian:
        component = _debian_component(debian, packages.distro)
        components[component["bom-ref"]] = component
    return _document({}, components.values())


def sbom_of_image(base_sbom: bytes, metadata: Metadata, bundle_digest: str, repository: str) -> bytes:
    """The SBOM of the image that serves a bundle: what its base holds, and the model as a component of its own.

    Args:
        base_sbom: what `sbom_of_base` gave for the image that the bundle's layer lies on.
        metadata: the bundle's.
        bundle_digest: ``sha256:`` and 64 hex digits.
        repository: where the image is pushed, without tag and digest.

    Raises:
        RejectedError: `base_sbom` is no SBOM that `sbom_of_base` made.
    """
    components = _read_components(base_sbom)
    model = model_component(metadata, bundle_digest)
    image = {"type": "container", "bom-ref": f"image:{repository}", "name": repository}
    tools = {"components": [{"type": "application", "name": "slipway"}]}
    described = {"timestamp": metadata.created, "tools": tools, "component": image}
    return _document(described, [*components, model])


def sbom_artifact(sbom: bytes) -> Artifact:
    """The SBOM as it is attached to its image."""
    return Artifact(MEDIA_TYPE, MEDIA_TYPE, sbom)


def _read_components(base_sbom: bytes) -> list[dict[str, Any]]:
    try:
        document = json.loads(base_sbom)
        components = document["components"]
        known = document["specVersion"] == "1.6" and all(each["bom-ref"] for each in components)
    except (ValueError, KeyError, TypeError) as error:
        raise _no_sbom() from error
    if not known:
        raise _no_sbom()
    return list(components)


def _no_sbom() -> RejectedError:
    return RejectedError(
        "could not write the SBOM of an image",
        on="the SBOM of its base image",
        why="it is no CycloneDX 1.6 document of ours",
        fix="Remove it, and the next run lists the base image's packages anew.",
    )


def _document(described: dict[str, Any], components: Iterable[dict[str, Any]]) -> bytes:
    """A whole document; all that the described component is made of is what it depends on."""
    ordered = sorted(components, key=lambda component: str(component["bom-ref"]))
    content: dict[str, Any] = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": ordered}
    if described:
        parts = [component["bom-ref"] for component in ordered]
        content |= {
            "metadata": described,
            "dependencies": [{"ref": described["component"]["bom-ref"], "dependsOn": parts}],
        }
    serial = uuid.uuid5(uuid.NAMESPACE_OID, canonical_json(content).decode())
    return canonical_json(content | {"serialNumber": serial.urn})


def _add_python(components: dict[str, dict[str, Any]], package: PythonPackage) -> None:
    name = canonicalize_name(package.name)
    purl = PackageURL("pypi", name=name, version=package.version or None).to_string()
    component = components.setdefault(purl, _component(purl, package.name, package.version, package.license))
    component.setdefault("evidence", {"occurrences": []})["occurrences"].append({"location": package.folder})


def _debian_component(package: DebianPackage, distro: Distro) -> dict[str, Any]:
    place = "-".join(part for part in (distro.id, distro.version) if part)
    wanted = {"arch": package.architecture, "distro": place, "upstream": package.source}
    qualifiers = {key: value for key, value in wanted.items() if value}
    purl = PackageURL("deb", distro.id, package.name, package.version, qualifiers)
    return _component(purl.to_string(), package.name, package.version, None)


def _component(purl: str, name: str, version: str, expression: str | None) -> dict[str, Any]:
    component: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "purl": purl}
    if version:
        component["version"] = version
    if expression:
        component["licenses"] = [{"expression": expression, "acknowledgement": "declared"}]
    return component
