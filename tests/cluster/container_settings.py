"""A pod's container as arguments of the Docker engine: the same limits and the same restrictions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.cluster.quantities import parse
from tests.cluster.store import Object


class NotThereError(Exception):
    """What a container refers to is not there, or not as it has to be; its text is the kubelet's."""


# The configuration of a ConfigMap or a Secret, as texts by key; raises NotThereError with the kubelet's text.
Lookup = Callable[[str, str], Mapping[str, str]]

_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


def container_settings(pod: Object, container: Object, environment: Mapping[str, str]) -> dict[str, Any]:
    """Keyword arguments of docker-py's `containers.create`, but for image, network and labels."""
    security = pod["spec"].get("securityContext", {}) | container.get("securityContext", {})
    settings: dict[str, Any] = {
        "entrypoint": _expanded(container.get("command"), environment),
        "command": _expanded(container.get("args"), environment),
        "environment": dict(environment),
        "working_dir": container.get("workingDir"),
        "hostname": pod["metadata"]["name"][:63],
        "tmpfs": _memory_volumes(pod, container, security),
        **_restrictions(security),
        **_limits(container.get("resources", {})),
    }
    return {name: value for name, value in settings.items() if value not in (None, [], {})}


def _restrictions(security: Mapping[str, Any]) -> dict[str, Any]:
    capabilities = security.get("capabilities", {})
    user = security.get("runAsUser")
    group = security.get("runAsGroup", 0)
    options = [] if security.get("allowPrivilegeEscalation", True) else ["no-new-privileges"]
    if security.get("seccompProfile", {}).get("type") == "Unconfined":
        options.append("seccomp=unconfined")
    return {
        "user": None if user is None else f"{user}:{group}",
        "group_add": [security["fsGroup"]] if "fsGroup" in security else None,
        "read_only": security.get("readOnlyRootFilesystem"),
        "privileged": security.get("privileged"),
        "cap_drop": capabilities.get("drop"),
        "cap_add": capabilities.get("add"),
        "security_opt": options,
    }


def _limits(resources: Mapping[str, Any]) -> dict[str, Any]:
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    made: dict[str, Any] = {}
    if "memory" in limits:
        made["mem_limit"] = made["memswap_limit"] = int(parse(limits["memory"]))
    if "cpu" in limits:
        made |= {"cpu_period": 100_000, "cpu_quota": max(1000, int(parse(limits["cpu"]) * 100_000))}
    if "cpu" in requests:
        made["cpu_shares"] = max(2, int(parse(requests["cpu"]) * 1024))
    return made


def _memory_volumes(pod: Object, container: Object, security: Mapping[str, Any]) -> dict[str, str]:
    """An emptyDir is writable to all, and counts against its limit; it lives in memory here, whatever its medium."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
    made = {}
    for mount in container.get("volumeMounts", []):
        empty = volumes[mount["name"]].get("emptyDir")
        if empty is None:
            continue
        size = f",size={int(parse(empty['sizeLimit']))}" if "sizeLimit" in empty else ""
        owner = f",gid={security['fsGroup']}" if "fsGroup" in security else ""
        made[mount["mountPath"]] = f"rw,exec,mode=1777{size}{owner}"
    return made


def _expanded(words: list[str] | None, environment: Mapping[str, str]) -> list[str] | None:
    """`$(NAME)` is replaced by a variable of that name, and left where there is none."""
    if words is None:
        return None
    return [_REFERENCE.sub(lambda found: environment.get(found[1], found[0]), word) for word in words]


def environment_of(pod: Object, container: Object, address: str, look_up: Lookup) -> dict[str, str]:
    """The variables of a container.

    Raises:
        NotThereError: what one of them refers to is not there; its text is the kubelet's.
    """
    environment: dict[str, str] = {}
    for source in container.get("envFrom", []):
        for kind, reference in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            if reference in source:
                prefix = source.get("prefix", "")
                found = _looked_up(look_up, kind, source[reference])
                environment |= {prefix + key: value for key, value in found.items()}
    for variable in container.get("env", []):
        value = _value(pod, container, address, variable, look_up)
        if value is not None:
            environment[variable["name"]] = _expanded([value], environment)[0]  # type: ignore[index]
    return environment


def _value(pod: Object, container: Object, address: str, variable: Object, look_up: Lookup) -> str | None:
    source = variable.get("valueFrom")
    if source is None:
        return str(variable.get("value", ""))
    for kind, reference in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if reference in source:
            wanted = source[reference]
            found = _looked_up(look_up, kind, wanted)
            if wanted["key"] not in found and not wanted.get("optional"):
                where = f"{kind} {pod['metadata']['namespace']}/{wanted['name']}"
                raise NotThereError(f"couldn't find key {wanted['key']} in {where}")
            return found.get(wanted["key"])
    if "resourceFieldRef" in source:
        return _resource(container, source["resourceFieldRef"])
    return _field(pod, address, source["fieldRef"]["fieldPath"])


def _looked_up(look_up: Lookup, kind: str, reference: Object) -> Mapping[str, str]:
    try:
        return look_up(kind, reference["name"])
    except NotThereError:
        if reference.get("optional"):
            return {}
        raise


def _field(pod: Object, address: str, path: str) -> str:
    if path in {"status.podIP", "status.podIPs"}:
        return address
    keyed = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if keyed:
        return str(pod["metadata"].get(keyed[1], {}).get(keyed[2], ""))
    value: Any = pod
    for part in path.split("."):
        value = value.get(part, {})
    return str(value or "")


def _resource(container: Object, reference: Object) -> str:
    which, _, resource = reference["resource"].partition(".")
    value = parse(container.get("resources", {}).get(which, {}).get(resource, "0"))
    divisor = parse(reference.get("divisor", "1"))
    return str(-int(-value // divisor))  # rounded up
