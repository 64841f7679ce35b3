"""Pod Security admission: the Standards baseline and restricted, by the namespace's label.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.cluster import status
from tests.cluster.kinds import KINDS
from tests.cluster.store import Store

Object = dict[str, Any]

ENFORCE = "pod-security.kubernetes.io/enforce"
_BASELINE_CAPABILITIES = {
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
}
_RESTRICTED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


class PodSecurity:
    """Admission that refuses pods which their namespace's level does not allow."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, new: Object, old: Object | None, *, subresource: str) -> Object:
        """Raises StatusError 403 with every control that a new pod violates."""
        if new["kind"] != "Pod" or old is not None:
            return new
        namespace = self._store.find("Namespace", "", new["metadata"]["namespace"]) or {"metadata": {}}
        labels = namespace["metadata"].get("labels") or {}
        level = labels.get(ENFORCE, "privileged")
        found = violations(new["spec"], level)
        if found:
            version = labels.get(f"{ENFORCE}-version", "latest")
            why = f'violates PodSecurity "{level}:{version}": {", ".join(found)}'
            raise status.forbidden(KINDS["Pod"], new["metadata"]["name"], why)
        return new


def violations(spec: Object, level: str) -> list[str]:
    """What a pod's spec does that a level ("privileged", "baseline", "restricted") forbids."""
    if level == "privileged":
        return []
    return [*_baseline(spec, restricted=level == "restricted"), *(_restricted(spec) if level == "restricted" else [])]


def _containers(spec: Object) -> list[Object]:
    return [one for group in ("initContainers", "containers", "ephemeralContainers") for one in spec.get(group) or []]


def _bad(spec: Object, test: Callable[[Object, Object], bool]) -> str:
    """The containers that fail a test of (container, its securityContext), as text; "" for none."""
    names = [one["name"] for one in _containers(spec) if test(one, one.get("securityContext") or {})]
    listed = ", ".join(f'"{name}"' for name in names)
    return f"container{'s' if len(names) > 1 else ''} {listed}" if names else ""


def _baseline(spec: Object, *, restricted: bool) -> Iterator[str]:
    shared = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    if shared:
        yield f"host namespaces ({', '.join(shared)})"
    if bad := _bad(spec, lambda _, context: bool(context.get("privileged"))):
        yield f"privileged ({bad} must not set securityContext.privileged=true)"
    if not restricted and (bad := _bad(spec, lambda _, context: bool(_added(context) - _BASELINE_CAPABILITIES))):
        yield f"non-default capabilities ({bad} must not include capabilities outside the baseline)"
    paths = [f'"{volume["name"]}"' for volume in spec.get("volumes") or [] if "hostPath" in volume]
    if paths:
        yield f"hostPath volumes (volume{'s' if len(paths) > 1 else ''} {', '.join(paths)})"
    if bad := _bad(spec, lambda one, _: any(port.get("hostPort") for port in one.get("ports") or [])):
        yield f"hostPort ({bad} must not use hostPort)"
    if bad := _bad(spec, lambda _, context: context.get("procMount", "Default") != "Default"):
        yield f"procMount ({bad} must not set securityContext.procMount)"
    if "Unconfined" in _profiles(spec):
        yield 'seccompProfile (pod or container must not set securityContext.seccompProfile.type to "Unconfined")'


def _profiles(spec: Object) -> set[str]:
    contexts = [spec.get("securityContext") or {}, *(one.get("securityContext") or {} for one in _containers(spec))]
    return {(context.get("seccompProfile") or {}).get("type", "") for context in contexts}


def _added(context: Object) -> set[str]:
    return set((context.get("capabilities") or {}).get("add") or [])


def _restricted(spec: Object) -> Iterator[str]:
    pod = spec.get("securityContext") or {}
    if bad := _bad(spec, lambda _, context: context.get("allowPrivilegeEscalation") is not False):
        yield f"allowPrivilegeEscalation != false ({bad} must set securityContext.allowPrivilegeEscalation=false)"
    if bad := _bad(spec, lambda _, context: "ALL" not in ((context.get("capabilities") or {}).get("drop") or [])):
        yield f'unrestricted capabilities ({bad} must set securityContext.capabilities.drop=["ALL"])'
    if bad := _bad(spec, lambda _, context: bool(_added(context) - {"NET_BIND_SERVICE"})):
        added = "must not include anything but NET_BIND_SERVICE in securityContext.capabilities.add"
        yield f"unrestricted capabilities ({bad} {added})"
    yield from _restricted_volumes(spec)
    if bad := _bad(spec, lambda _, context: not context.get("runAsNonRoot", pod.get("runAsNonRoot", False))):
        yield f"runAsNonRoot != true (pod or {bad} must set securityContext.runAsNonRoot=true)"
    if pod.get("runAsUser") == 0:
        yield "runAsUser=0 (pod must not set runAsUser=0)"
    elif bad := _bad(spec, lambda _, context: context.get("runAsUser") == 0):
        yield f"runAsUser=0 ({bad} must not set runAsUser=0)"
    if bad := _bad(spec, lambda _, context: not _has_seccomp(context, pod)):
        wanted = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        yield f"seccompProfile (pod or {bad} {wanted})"


def _has_seccomp(context: Object, pod: Object) -> bool:
    profile = context.get("seccompProfile") or pod.get("seccompProfile") or {}
    return profile.get("type") in {"RuntimeDefault", "Localhost"}


def _restricted_volumes(spec: Object) -> Iterator[str]:
    for volume in spec.get("volumes") or []:
        for source in set(volume) - {"name"} - _RESTRICTED_VOLUMES:
            name = volume["name"]
            yield f'restricted volume types (volume "{name}" uses restricted volume type "{source}")'
