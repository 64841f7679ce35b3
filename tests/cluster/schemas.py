"""Whether an object has only fields that its kind has, by the API's own schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tests.cluster import fields, lists
from tests.cluster.kinds import GATEWAY_GROUP, KINDS

Object = dict[str, Any]
Schema = dict[str, Any]
VERSION = "1.36.0"

_STRING: Schema = {"type": "string"}
_INTEGER: Schema = {"type": "integer"}
_ANY: Schema = {}


def _map(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _strings(*names: str) -> Schema:
    return _map(**dict.fromkeys(names, _STRING))


# Gateway API is not part of Kubernetes' schemas; of v1.3 of it, what a route or gateway of ours may have.
_REFERENCE = _strings("group", "kind", "name", "namespace")
_BACKEND = _map(**_REFERENCE["properties"], port=_INTEGER, weight=_INTEGER, filters=_list(_ANY))
_PARENT = _map(**_REFERENCE["properties"], sectionName=_STRING, port=_INTEGER)
_MATCH = _map(path=_strings("type", "value"), headers=_list(_ANY), queryParams=_list(_ANY), method=_STRING)
_RULE = _map(
    name=_STRING,
    matches=_list(_MATCH),
    filters=_list(_ANY),
    backendRefs=_list(_BACKEND),
    timeouts=_strings("request", "backendRequest"),
    retry=_ANY,
    sessionPersistence=_ANY,
)
_TLS = _map(mode=_STRING, certificateRefs=_list(_REFERENCE), options=_ANY, frontendValidation=_ANY)
_ALLOWED = _map(namespaces=_map(**{"from": _STRING}, selector=_ANY), kinds=_list(_strings("group", "kind")))
_LISTENER = _map(name=_STRING, hostname=_STRING, port=_INTEGER, protocol=_STRING, tls=_TLS, allowedRoutes=_ALLOWED)
_GATEWAY_SPECS = {
    "HTTPRoute": _map(parentRefs=_list(_PARENT), hostnames=_list(_STRING), rules=_list(_RULE)),
    "Gateway": _map(
        gatewayClassName=_STRING,
        listeners=_list(_LISTENER),
        addresses=_list(_strings("type", "value")),
        infrastructure=_ANY,
        allowedListeners=_ANY,
        tls=_ANY,
    ),
    "GatewayClass": _map(controllerName=_STRING, parametersRef=_REFERENCE, description=_STRING),
}


@cache
def _definitions() -> Object:
    return _load("_definitions")


def _load(name: str) -> Object:
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{VERSION}-local-strict"
    loaded: Object = json.loads((folder / f"{name}.json").read_text())
    return loaded


@cache
def _schema(kind_name: str) -> Schema:
    kind = KINDS[kind_name]
    if kind.group == GATEWAY_GROUP:
        meta = _resolved(_load("pod-v1")["properties"]["metadata"])
        return _map(apiVersion=_STRING, kind=_STRING, metadata=meta, spec=_GATEWAY_SPECS[kind_name], status=_ANY)
    group = f"{kind.group.split('.')[0]}-" if kind.group else ""
    return _load(f"{kind.name.lower()}-{group}{kind.version}")


def _resolved(schema: Schema) -> Schema:
    """Follow `$ref` to _definitions.json."""
    while "$ref" in schema:
        schema = _definitions()["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


@dataclass(frozen=True)
class Problem:
    """Something that a kind's schema does not allow.

    `indexed` is the path with indexes of lists, `keyed` with the keys of their items. `holder` is the map that has the
    unknown field `name`; None where a value is of the wrong type: then `types` says which was expected and which was found.
    """

    indexed: str
    keyed: str
    holder: Object | None = None
    name: str = ""
    types: tuple[str, str] = ("", "")


def problems(obj: Object) -> list[Problem]:
    """What an object has that its kind's schema does not allow."""
    return list(_walk(_Place(obj["kind"]), obj, _schema(obj["kind"])))


@dataclass(frozen=True)
class _Place:
    kind: str
    dotted: str = ""
    indexed: str = ""
    keyed: str = ""

    def field(self, name: str) -> _Place:
        dotted, indexed = (f"{self.dotted}.{name}", f"{self.indexed}.{name}") if self.dotted else (name, name)
        return _Place(self.kind, dotted, indexed, f"{self.keyed}.{name}")

    def item(self, index: int, key: str) -> _Place:
        return _Place(self.kind, f"{self.dotted}[]", f"{self.indexed}[{index}]", self.keyed + key)


def _walk(place: _Place, value: Any, schema: Schema) -> Iterator[Problem]:
    schema = _resolved(schema)
    types = _wrong_type(value, schema)
    if types:
        yield Problem(place.indexed, place.keyed, types=types)
    elif isinstance(value, dict) and ("properties" in schema or "additionalProperties" in schema):
        yield from _walk_map(place, value, schema)
    elif isinstance(value, list) and "items" in schema:
        keys = lists.list_keys(place.kind, place.dotted)
        for index, item in enumerate(value):
            keyed = keys and isinstance(item, dict)
            key = fields.text_of((fields.key_element(keys, item),)) if keyed else f"[{index}]"
            yield from _walk(place.item(index, key), item, schema["items"])


def _walk_map(place: _Place, value: Object, schema: Schema) -> Iterator[Problem]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, below in value.items():
        inner = place.field(name)
        if name in known or isinstance(others, dict):
            yield from _walk(inner, below, known.get(name, others))
        elif known:
            yield Problem(inner.indexed, inner.keyed, value, name)


def _wrong_type(value: Any, schema: Schema) -> tuple[str, str] | None:
    types = schema.get("type")
    if types is None or value is None:
        return None
    allowed = {types} if isinstance(types, str) else set(types)
    actual = _type(value)
    if actual in allowed or (actual == "integer" and "number" in allowed):
        return None
    return ", ".join(sorted(allowed - {"null"})), actual


def _type(value: Any) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    return kinds[type(value)]
