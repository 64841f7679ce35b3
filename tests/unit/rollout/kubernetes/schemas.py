"""Whether an object is one that the API server would take: its own schemas, strictly, and what they leave to its validation."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from kubernetes_validate.utils import all_versions, schema_contents
from referencing import Registry, Resource

Manifest = dict[str, Any]

VERSIONS = list(dict.fromkeys(all_versions()))[-3:]
GATEWAY_API = "gateway.networking.k8s.io/v1"

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(rf"({_LABEL}(\.{_LABEL})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")
# A Service's name becomes one of the DNS as it is; so is that of a pod, which begins with its Deployment's.
_NAME = {"Service": re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")}
_ANY_NAME = re.compile(_LABEL)


def problems(manifest: Manifest, version: str) -> list[str]:
    """What is wrong with an object, for one version of Kubernetes."""
    validator = (
        _gateway_api(manifest["kind"])
        if manifest["apiVersion"] == GATEWAY_API
        else _kubernetes(version, manifest["kind"].lower(), manifest["apiVersion"])
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)] + list(
        _conventions(manifest)
    )


def _conventions(manifest: Manifest) -> Iterator[str]:
    metadata = manifest["metadata"]
    if not _NAME.get(manifest["kind"], _ANY_NAME).fullmatch(metadata["name"]):
        yield f"name {metadata['name']!r}"
    for labels in _label_sets(manifest):
        yield from (f"label {item!r}" for item in labels.items() if not _is_label(*item))
    yield from (f"annotation {key!r}" for key in metadata.get("annotations", {}) if not _LABEL_KEY.fullmatch(key))


def _label_sets(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, list):
        for each in value:
            yield from _label_sets(each)
    if isinstance(value, dict):
        for key, each in value.items():
            if key in {"labels", "matchLabels"}:
                yield each
            else:
                yield from _label_sets(each)


def _is_label(key: str, value: str) -> bool:
    return bool(_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value))


@functools.cache
def _kubernetes(version: str, kind: str, api_version: str) -> Draft202012Validator:
    """As kubernetes_validate.validate(strict=True) makes it anew for every object."""
    folder = f"kubernetes-json-schema/v{version}-local-strict"
    group, _, tail = api_version.rpartition("/")
    name = f"{kind}-{group.split('.')[0]}-{tail}" if group else f"{kind}-{tail}"
    schema = schema_contents(f"{folder}/{name}.json", version)
    registry = Resource.from_contents(schema_contents(f"{folder}/_definitions.json", version)) @ Registry()
    return Draft202012Validator(schema, registry=registry)


def _object(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def _list(items: Any, most: int, least: int = 1) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


# What of the Gateway API v1 is used, as its reference defines it; kubernetes_validate knows no custom resources.
_TEXT = {"type": "string"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
_METADATA = _object("name", name=_TEXT, namespace=_TEXT, labels=_TEXTS, annotations=_TEXTS)
_OBJECT_NAME = {"type": "string", "minLength": 1, "maxLength": 253}
_SECTION = {"type": "string", "pattern": rf"^{_LABEL}(\.{_LABEL})*$", "minLength": 1, "maxLength": 253}
_NAMESPACE = {"type": "string", "pattern": rf"^{_LABEL}$"}
_HOST = {"type": "string", "pattern": rf"^(\*\.)?{_LABEL}(\.{_LABEL})*$", "minLength": 1, "maxLength": 253}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_PARENT = _object(
    "name",
    group={"const": "gateway.networking.k8s.io"},
    kind={"const": "Gateway"},
    name=_OBJECT_NAME,
    namespace=_NAMESPACE,
    sectionName=_SECTION,
)
_BACKEND = _object(
    "name port",  # a Service needs its port
    kind={"const": "Service"},
    name=_OBJECT_NAME,
    port=_PORT,
    weight={"type": "integer", "minimum": 0, "maximum": 1_000_000},
)
_MATCH = _object(path=_object(type={"enum": ["Exact", "PathPrefix"]}, value={"type": "string", "pattern": "^/"}))
_TLS = _object(
    "certificateRefs",
    mode={"const": "Terminate"},
    certificateRefs=_list(_object("name", kind={"const": "Secret"}, name=_OBJECT_NAME), 64),
)
_ROUTES = _object(namespaces=_object(**{"from": {"enum": ["All", "Selector", "Same"]}}))
_LISTENER = {
    **_object(
        "name port protocol",
        name=_SECTION,
        hostname=_HOST,
        port=_PORT,
        protocol={"enum": ["HTTP", "HTTPS"]},
        tls=_TLS,
        allowedRoutes=_ROUTES,
    ),
    # TLS exactly where the protocol has it.
    "if": {"properties": {"protocol": {"const": "HTTPS"}}},
    "then": {"required": ["tls"]},
    "else": {"not": {"required": ["tls"]}},
}
_SPECS = {
    "HTTPRoute": _object(
        "parentRefs rules",
        parentRefs=_list(_PARENT, 32),
        hostnames=_list(_HOST, 16),
        rules=_list(_object(matches=_list(_MATCH, 64), backendRefs=_list(_BACKEND, 16)), 16),
    ),
    "Gateway": _object("gatewayClassName listeners", gatewayClassName=_OBJECT_NAME, listeners=_list(_LISTENER, 64)),
}


@functools.cache
def _gateway_api(kind: str) -> Draft202012Validator:
    whole = _object(
        "apiVersion kind metadata spec",
        apiVersion={"const": GATEWAY_API},
        kind={"const": kind},
        metadata=_METADATA,
        spec=_SPECS[kind],
    )
    return Draft202012Validator(whole)
