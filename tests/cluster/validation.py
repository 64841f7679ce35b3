"""Whether an object's values make sense: 422 Invalid in the words of the real server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.cluster import quantities, status
from tests.cluster.kinds import KINDS
from tests.cluster.selectors import matches

Object = dict[str, Any]
Problem = tuple[str, str, str]  # reason of the cause, field, message

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME_FORMS = {
    "subdomain": (
        253,
        rf"{_LABEL}(\.{_LABEL})*",
        (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
            "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
        ),
    ),
    "label": (
        63,
        _LABEL,
        (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
            "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        ),
    ),
    "1035": (
        63,
        "[a-z]([-a-z0-9]*[a-z0-9])?",
        (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
        ),
    ),
    "value": (
        63,
        "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
        (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
            "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
        ),
    ),
    "key": (
        63,
        "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]",
        (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
        ),
    ),
}
_KIND_FORMS = {"Service": "1035", "Namespace": "label"}
_FREE_NAMES = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "SelfSubjectAccessReview"}
_TEMPLATES = {"Deployment", "ReplicaSet", "Job"}
_MUTABLE_POD = {"activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "nodeName"}


def check(new: Object, old: Object | None, *, subresource: str) -> Object:
    """Admission that only looks. Raises StatusError 422 with every problem found."""
    found = list(_problems(new, old, subresource))
    if found:
        raise status.invalid(KINDS[new["kind"]], new["metadata"].get("name", ""), found)
    return new


def _problems(new: Object, old: Object | None, subresource: str) -> Iterator[Problem]:
    kind = new["kind"]
    yield from _metadata(new)
    if subresource == "status":
        return
    if kind in _TEMPLATES:
        yield from _workload(new)
    elif kind == "Pod":
        yield from _pod_spec(new["spec"], "spec")
    elif kind == "Service":
        yield from _service(new["spec"])
    elif kind == "HorizontalPodAutoscaler" and new["spec"].get("maxReplicas", 0) < new["spec"]["minReplicas"]:
        yield _wrong(
            "spec.maxReplicas", new["spec"].get("maxReplicas"), "must be greater than or equal to `minReplicas`"
        )
    if old:
        yield from _immutable(new, old)


def _wrong(field: str, value: Any, why: str) -> Problem:
    return "FieldValueInvalid", field, f"Invalid value: {json.dumps(value)}: {why}"


def _required(field: str, why: str = "") -> Problem:
    return "FieldValueRequired", field, "Required value" + (f": {why}" if why else "")


def form_problem(form: str, text: str) -> str | None:
    """Why a name has not the form ("subdomain", "label", "1035", "value", "key"), or None."""
    longest, pattern, explained = _NAME_FORMS[form]
    if len(text.encode()) > longest:
        return f"must be no more than {longest} bytes"
    return None if re.fullmatch(pattern, text) else f"{explained}'{pattern}')"


# ------------------------------------------------------------------------------------------------------- metadata


def _metadata(obj: Object) -> Iterator[Problem]:
    meta = obj["metadata"]
    name = meta.get("name", "")
    if not name:
        yield _required("metadata.name", "name or generateName is required")
    elif obj["kind"] not in _FREE_NAMES:
        why = form_problem(_KIND_FORMS.get(obj["kind"], "subdomain"), name)
        if why:
            yield _wrong("metadata.name", name, why)
    yield from _labels(meta.get("labels"), "metadata.labels")
    for key in meta.get("annotations") or {}:
        yield from _label_key(key.lower(), key, "metadata.annotations")


def _labels(labels: dict[str, str] | None, field: str) -> Iterator[Problem]:
    for key, value in (labels or {}).items():
        yield from _label_key(key, key, field)
        why = form_problem("value", value)
        if why:
            yield _wrong(field, value, why)


def _label_key(key: str, shown: str, field: str) -> Iterator[Problem]:
    prefix, slash, name = key.rpartition("/")
    why = form_problem("key", name)
    if slash and not why:
        why = form_problem("subdomain", prefix)
        why = why and f"prefix part {why}"
    if why:
        yield _wrong(field, shown, why)


# ------------------------------------------------------------------------------------------------------ workloads


def _workload(obj: Object) -> Iterator[Problem]:
    spec = obj["spec"]
    if spec.get("replicas", 0) < 0:
        yield _wrong("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if obj["kind"] != "Job":
        if not spec.get("selector"):
            yield _required("spec.selector")
        elif not matches(spec["selector"], labels):
            yield _wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
        if spec["template"]["spec"]["restartPolicy"] != "Always":
            policy = spec["template"]["spec"]["restartPolicy"]
            message = f'Unsupported value: "{policy}": supported values: "Always"'
            yield "FieldValueNotSupported", "spec.template.spec.restartPolicy", message
    yield from _labels(labels, "spec.template.labels")
    yield from _rolling_update(spec.get("strategy") or {})
    yield from _pod_spec(spec["template"]["spec"], "spec.template.spec")


def _rolling_update(strategy: Object) -> Iterator[Problem]:
    rolling = strategy.get("rollingUpdate")
    if rolling and all(str(rolling.get(name)) in {"0", "0%"} for name in ("maxSurge", "maxUnavailable")):
        field = "spec.strategy.rollingUpdate.maxUnavailable"
        yield _wrong(field, rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0")


def _pod_spec(spec: Object, field: str) -> Iterator[Problem]:
    if not spec.get("containers"):
        yield _required(f"{field}.containers")
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    seen: set[str] = set()
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or []):
            here = f"{field}.{group}[{index}]"
            yield from _container(container, here, volumes)
            if container.get("name") in seen:
                yield "FieldValueDuplicate", f"{here}.name", f"Duplicate value: {json.dumps(container['name'])}"
            seen.add(container.get("name", ""))


def _container(container: Object, field: str, volumes: set[str]) -> Iterator[Problem]:
    if not container.get("name"):
        yield _required(f"{field}.name")
    elif form_problem("label", container["name"]):
        yield _wrong(f"{field}.name", container["name"], form_problem("label", container["name"]) or "")
    if not container.get("image"):
        yield _required(f"{field}.image")
    elif container["image"].strip() != container["image"]:
        yield _wrong(f"{field}.image", container["image"], "must not have leading or trailing whitespace")
    for index, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            message = f"Not found: {json.dumps(mount.get('name'))}"
            yield "FieldValueNotFound", f"{field}.volumeMounts[{index}].name", message
    yield from _ports(container.get("ports") or [], field)
    yield from _resources(container["resources"], f"{field}.resources")


def _ports(ports: list[Object], field: str) -> Iterator[Problem]:
    for index, port in enumerate(ports):
        if not 1 <= port.get("containerPort", 0) <= 65535:
            here = f"{field}.ports[{index}].containerPort"
            yield _wrong(here, port.get("containerPort"), "must be between 1 and 65535, inclusive")


def _resources(resources: Object, field: str) -> Iterator[Problem]:
    limits = resources.get("limits") or {}
    for name, amount in (resources.get("requests") or {}).items():
        limit = limits.get(name)
        if limit is not None and quantities.parse(amount) > quantities.parse(limit):
            yield _wrong(f"{field}.requests", amount, f"must be less than or equal to {name} limit of {limit}")


def _service(spec: Object) -> Iterator[Problem]:
    if not spec.get("ports") and spec.get("clusterIP") != "None" and spec["type"] != "ExternalName":
        yield _required("spec.ports")
    ports = spec.get("ports") or []
    for index, port in enumerate(ports):
        if not 1 <= port.get("port", 0) <= 65535:
            yield _wrong(f"spec.ports[{index}].port", port.get("port"), "must be between 1 and 65535, inclusive")
        if len(ports) > 1 and not port.get("name"):
            yield _required(f"spec.ports[{index}].name")


# ------------------------------------------------------------------------------------------------- immutable fields


def _immutable(new: Object, old: Object) -> Iterator[Problem]:
    kind = new["kind"]
    fields = {"Deployment": ["selector"], "ReplicaSet": ["selector"], "Job": ["selector", "template", "completions"]}
    for name in fields.get(kind, []):
        before, after = old["spec"].get(name), new["spec"].get(name)
        if before is not None and before != after:
            yield _wrong(f"spec.{name}", after, "field is immutable")
    if kind == "Pod" and _fixed(new["spec"]) != _fixed(old["spec"]):
        yield (
            "FieldValueForbidden",
            "spec",
            (
                "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
                "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
                "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
            ),
        )
    if kind in {"ConfigMap", "Secret"} and old.get("immutable") and old.get("data") != new.get("data"):
        yield "FieldValueForbidden", "data", "Forbidden: field is immutable when `immutable` is set"
    if kind in {"RoleBinding", "ClusterRoleBinding"} and new.get("roleRef") != old.get("roleRef"):
        yield _wrong("roleRef", new.get("roleRef"), "cannot change roleRef")


def _fixed(spec: Object) -> Object:
    """What of a running pod's spec nobody may change."""
    fixed = {name: value for name, value in spec.items() if name not in _MUTABLE_POD}
    for group in ("containers", "initContainers"):
        fixed[group] = [{k: v for k, v in one.items() if k != "image"} for one in spec.get(group) or []]
    return fixed
