"""Shows that the check which every rendered pod passes can fail, at each control."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.rollout.kubernetes.pod_security import CONTROLS, violations

SAFE: dict[str, Any] = {
    "metadata": {},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "server",
                "ports": [{"containerPort": 8080}],
                "livenessProbe": {"httpGet": {"port": 8080}},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    },
}
POD = ("spec", "securityContext")
CONTAINER = ("spec", "containers", 0)
OWN = (*CONTAINER, "securityContext")


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy of the safe pod with one value set, or removed with None."""
    pod = copy.deepcopy(SAFE)
    here: Any = pod
    for key in path[:-1]:
        here = here[key] if isinstance(key, int) else here.setdefault(key, {})
    if value is None:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    return pod


def test_the_safe_one_is_safe() -> None:
    assert violations(SAFE) == []


VIOLATIONS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("host_process", (*POD, "windowsOptions"), {"hostProcess": True}),
    ("host_process", (*OWN, "windowsOptions"), {"hostProcess": True}),
    ("host_namespaces", ("spec", "hostNetwork"), True),
    ("host_namespaces", ("spec", "hostPID"), True),
    ("host_namespaces", ("spec", "hostIPC"), True),
    ("privileged_containers", (*OWN, "privileged"), True),
    ("capabilities", (*OWN, "capabilities", "add"), ["SYS_ADMIN"]),
    ("capabilities", (*OWN, "capabilities", "add"), ["CHOWN"]),
    ("capabilities", (*OWN, "capabilities", "drop"), ["NET_RAW"]),
    ("capabilities", (*OWN, "capabilities"), None),
    ("host_path_volumes", ("spec", "volumes"), [{"name": "host", "hostPath": {"path": "/"}}]),
    ("host_ports", (*CONTAINER, "ports"), [{"containerPort": 80, "hostPort": 80}]),
    ("host_of_probes", (*CONTAINER, "livenessProbe"), {"httpGet": {"host": "169.254.169.254", "port": 80}}),
    ("host_of_probes", (*CONTAINER, "startupProbe"), {"tcpSocket": {"host": "10.0.0.1", "port": 80}}),
    ("host_of_probes", (*CONTAINER, "lifecycle"), {"preStop": {"httpGet": {"host": "10.0.0.1", "port": 80}}}),
    ("app_armor", (*POD, "appArmorProfile"), {"type": "Unconfined"}),
    ("app_armor", (*OWN, "appArmorProfile"), {"type": "Unconfined"}),
    (
        "app_armor",
        ("metadata", "annotations"),
        {"container.apparmor.security.beta.kubernetes.io/server": "unconfined"},
    ),
    ("se_linux", (*POD, "seLinuxOptions"), {"type": "spc_t"}),
    ("se_linux", (*OWN, "seLinuxOptions"), {"user": "system_u"}),
    ("se_linux", (*OWN, "seLinuxOptions"), {"role": "sysadm_r"}),
    ("proc_mount", (*OWN, "procMount"), "Unmasked"),
    ("seccomp", (*POD, "seccompProfile"), {"type": "Unconfined"}),
    ("seccomp", (*OWN, "seccompProfile"), {"type": "Unconfined"}),
    ("seccomp", (*POD, "seccompProfile"), None),
    ("sysctls", (*POD, "sysctls"), [{"name": "kernel.msgmax", "value": "1"}]),
    ("volume_types", ("spec", "volumes"), [{"name": "nfs", "nfs": {"server": "x", "path": "/"}}]),
    ("volume_types", ("spec", "volumes"), [{"name": "nothing"}]),
    ("privilege_escalation", (*OWN, "allowPrivilegeEscalation"), None),
    ("privilege_escalation", (*OWN, "allowPrivilegeEscalation"), True),
    ("running_as_non_root", (*POD, "runAsNonRoot"), None),
    ("running_as_non_root", (*OWN, "runAsNonRoot"), False),
    ("non_root_user", (*POD, "runAsUser"), 0),
    ("non_root_user", (*OWN, "runAsUser"), 0),
]


@pytest.mark.parametrize(("control", "path", "value"), VIOLATIONS)
def test_a_violation_is_seen(control: str, path: tuple[Any, ...], value: Any) -> None:
    assert control in violations(changed(path, value))


@pytest.mark.parametrize("kind", ["initContainers", "ephemeralContainers"])
def test_containers_of_every_kind_are_looked_at(kind: str) -> None:
    assert "privilege_escalation" in violations(changed(("spec", kind), [{"name": "other"}]))


def test_every_control_has_a_violation() -> None:
    assert {control.__name__ for control in CONTROLS} == {control for control, _, _ in VIOLATIONS}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*OWN, "capabilities", "add"), ["NET_BIND_SERVICE"]),
        ((*OWN, "seccompProfile"), {"type": "Localhost", "localhostProfile": "a.json"}),
        ((*POD, "appArmorProfile"), {"type": "RuntimeDefault"}),
        ((*POD, "sysctls"), [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]),
        ((*POD, "seLinuxOptions"), {"type": "container_t", "level": "s0:c1"}),
        ((*POD, "runAsUser"), 10001),
    ],
)
def test_what_the_standard_allows_is_no_violation(path: tuple[Any, ...], value: Any) -> None:
    assert violations(changed(path, value)) == []
