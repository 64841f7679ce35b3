"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.cluster.kinds import Kind
from tests.cluster.status import StatusError

Object = dict[str, Any]
Test = Callable[[Object], bool]

_REQUIREMENT = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<no_key>[\w./-]+)"
    r"|(?P<set_key>[\w./-]+)\s+(?P<set>in|notin)\s*\((?P<values>[^)]*)\)"
    r"|(?P<key>[\w./-]+)\s*(?P<operator>==|!=|=)\s*(?P<value>[\w.-]*)"
    r"|(?P<exists>[\w./-]+))\s*(?:,|$)"
)
_FIELDS = {
    "Pod": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "Event": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "Secret": ("type",),
    "Namespace": ("status.phase",),
    "ReplicaSet": ("status.replicas",),
    "Job": ("status.successful",),
    "Service": ("spec.clusterIP", "spec.type"),
}


def label_test(text: str) -> Test:
    """Equality and set based selector. Raises StatusError 400 where it cannot be parsed."""
    tests, position = [], 0
    while position < len(text):
        found = _REQUIREMENT.match(text, position)
        if not found or found.end() == position:
            raise StatusError(400, f'unable to parse requirement: found "{text[position:]}", expected: identifier')
        tests.append(_requirement(found.groupdict()))
        position = found.end()
    return lambda obj: all(test(obj["metadata"].get("labels") or {}) for test in tests)


def _requirement(part: Mapping[str, str | None]) -> Callable[[Mapping[str, str]], bool]:
    if part["absent"]:
        return lambda labels: part["no_key"] not in labels
    if part["set"]:
        values = {value.strip() for value in (part["values"] or "").split(",")}
        return lambda labels: (labels.get(part["set_key"] or "") in values) == (part["set"] == "in")
    if part["operator"]:
        return lambda labels: (labels.get(part["key"] or "") == part["value"]) == (part["operator"] != "!=")
    return lambda labels: part["exists"] in labels


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector object (matchLabels, matchExpressions) selects these labels; none selects nothing."""
    if selector is None:
        return False
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        return False
    return all(_expression(one, labels) for one in selector.get("matchExpressions") or [])


def _expression(one: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(one["key"]), one.get("values") or []
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[one["operator"]]


def field_test(kind: Kind, text: str) -> Test:
    """Selector by fields. Raises StatusError 400 for a field that the kind cannot be selected by."""
    tests = [_field_requirement(kind, text, part) for part in text.split(",") if part]
    return lambda obj: all(test(obj) for test in tests)


def _field_requirement(kind: Kind, whole: str, part: str) -> Test:
    path, operator, value = re.split(r"(!=|==|=)", part, maxsplit=1) if "=" in part else (part, "", "")
    if path not in {"metadata.name", "metadata.namespace", *_FIELDS.get(kind.name, ())}:
        group = f"{kind.group}/{kind.version}" if kind.group else f"/{kind.version}"
        what = (
            f'Unable to find "{group}, Resource={kind.plural}" that match label selector "", field selector "{whole}"'
        )
        raise StatusError(400, f"{what}: field label not supported: {path}")
    return lambda obj: (_value(obj, path) == value) == (operator != "!=")


def _value(obj: Object, path: str) -> str:
    here: Any = obj
    for name in path.split("."):
        here = here.get(name) if isinstance(here, dict) else None
    if path == "source":
        here = (obj.get("source") or {}).get("component")
    return "" if here is None else str(here)
