"""How the lists and maps of each kind merge, as `x-kubernetes-list-type` and `-map-type` of the API's schema say it.

A path is written `spec.template.spec.containers[].ports`: `[]` is any item of a list. What is not listed here merges by
the general rule: maps field by field, lists as one value.
"""

from __future__ import annotations

from functools import cache

# Keys that identify an item of a list, by the path below a pod's spec.
_CONTAINER_LISTS = {
    "ports": ("containerPort", "protocol"),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "resources.claims": ("name",),
}
_POD_LISTS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
} | {
    f"{group}[].{path}": keys
    for group in ("containers", "initContainers", "ephemeralContainers")
    for path, keys in _CONTAINER_LISTS.items()
}
_POD_SPECS = {
    "Pod": "spec",
    "Deployment": "spec.template.spec",
    "ReplicaSet": "spec.template.spec",
    "Job": "spec.template.spec",
}
_CONDITIONS: dict[str, tuple[str, ...]] = {"status.conditions": ("type",)}
_OWN_LISTS: dict[str, dict[str, tuple[str, ...]]] = {
    "Service": {"spec.ports": ("port", "protocol"), **_CONDITIONS},
    "ServiceAccount": {"secrets": ("name",)},
    "Gateway": {
        "spec.listeners": ("name",),
        "status.listeners": ("name",),
        "status.listeners[].conditions": ("type",),
        **_CONDITIONS,
    },
    "Pod": {"status.podIPs": ("ip",), **_CONDITIONS},
    "Deployment": _CONDITIONS,
    "ReplicaSet": _CONDITIONS,
    "HorizontalPodAutoscaler": _CONDITIONS,
    "PodDisruptionBudget": _CONDITIONS,
    "Node": _CONDITIONS,
    "GatewayClass": _CONDITIONS,
}
# Maps that are one value: whoever changes one entry changes all of it.
_ATOMIC_NAMES = frozenset(
    {
        "configMapKeyRef",
        "secretKeyRef",
        "fieldRef",
        "resourceFieldRef",
        "labelSelector",
        "nodeSelector",
        "involvedObject",
        "matchLabels",
        "roleRef",
        "podSelector",
    }
)
_ATOMIC_PATHS = frozenset({"spec.selector", "metadata.ownerReferences[]"})
SETS = frozenset({"metadata.finalizers"})
# A key that may be left out, and what it then is.
KEY_DEFAULTS = {"protocol": "TCP"}


@cache
def list_keys(kind: str, path: str) -> tuple[str, ...]:
    """The fields that identify the items of a list that merges item by item; () where it is one value or a set."""
    if path == "metadata.ownerReferences":
        return ("uid",)
    own = _OWN_LISTS.get(kind, {}).get(path)
    prefix = _POD_SPECS.get(kind)
    if own is None and prefix and path.startswith(f"{prefix}."):
        own = _POD_LISTS.get(path.removeprefix(f"{prefix}."))
    return own or ()


@cache
def is_atomic(path: str) -> bool:
    """Whether a map merges as one value."""
    return path in _ATOMIC_PATHS or path.rpartition(".")[2] in _ATOMIC_NAMES
