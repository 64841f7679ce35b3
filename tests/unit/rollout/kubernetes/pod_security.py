"""The Pod Security Standard *restricted*, control by control, as https://kubernetes.io/docs/concepts/security/pod-security-standards
publishes it; with everything of *baseline*, which it includes. Where the page has changed with Kubernetes' versions: the
strictest of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Pod = dict[str, Any]  # a pod, or a pod template: metadata and spec

_CAPABILITIES = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_CHROOT",
}  # fmt: skip
_SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip
_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
_SELINUX_TYPES = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def containers(pod: Pod) -> list[dict[str, Any]]:
    return [
        container
        for key in ("initContainers", "containers", "ephemeralContainers")
        for container in pod["spec"].get(key) or []
    ]


def contexts(pod: Pod) -> list[dict[str, Any]]:
    """The security contexts of the pod and of its containers."""
    return [each.get("securityContext") or {} for each in (pod["spec"], *containers(pod))]


def of_containers(pod: Pod) -> list[dict[str, Any]]:
    return contexts(pod)[1:]


def host_process(pod: Pod) -> bool:
    return not any((context.get("windowsOptions") or {}).get("hostProcess") for context in contexts(pod))


def host_namespaces(pod: Pod) -> bool:
    return not any(pod["spec"].get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))


def privileged_containers(pod: Pod) -> bool:
    return not any(context.get("privileged") for context in of_containers(pod))


def host_path_volumes(pod: Pod) -> bool:
    return not any("hostPath" in volume for volume in pod["spec"].get("volumes") or [])


def host_ports(pod: Pod) -> bool:
    return not any(port.get("hostPort") for container in containers(pod) for port in container.get("ports") or [])


def host_of_probes(pod: Pod) -> bool:
    """Probes and lifecycle hooks, since 1.34."""
    return not any(
        (handler.get(kind) or {}).get("host")
        for container in containers(pod)
        for handler in _handlers(container)
        for kind in ("httpGet", "tcpSocket")
    )


def _handlers(container: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (container.get(key) or {} for key in ("livenessProbe", "readinessProbe", "startupProbe"))
    yield from (each or {} for each in (container.get("lifecycle") or {}).values() if isinstance(each, dict))


def app_armor(pod: Pod) -> bool:
    profiles = [(context.get("appArmorProfile") or {}).get("type") for context in contexts(pod)]
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    values = [value for key, value in annotations.items() if key.startswith(_APPARMOR)]
    return all(profile in {None, "RuntimeDefault", "Localhost"} for profile in profiles) and all(
        value == "runtime/default" or value.startswith("localhost/") for value in values
    )


def se_linux(pod: Pod) -> bool:
    options = [context.get("seLinuxOptions") or {} for context in contexts(pod)]
    return all(each.get("type") in _SELINUX_TYPES and not each.get("user") and not each.get("role") for each in options)


def proc_mount(pod: Pod) -> bool:
    return all(context.get("procMount") in {None, "Default"} for context in of_containers(pod))


def sysctls(pod: Pod) -> bool:
    return all(each["name"] in _SYSCTLS for each in contexts(pod)[0].get("sysctls") or [])


def volume_types(pod: Pod) -> bool:
    return all(set(volume) - {"name"} <= _VOLUMES and len(volume) == 2 for volume in pod["spec"].get("volumes") or [])


def privilege_escalation(pod: Pod) -> bool:
    return all(context.get("allowPrivilegeEscalation") is False for context in of_containers(pod))


def running_as_non_root(pod: Pod) -> bool:
    whole, *each = contexts(pod)
    return all(context.get("runAsNonRoot", whole.get("runAsNonRoot")) is True for context in each)


def non_root_user(pod: Pod) -> bool:
    return all(context.get("runAsUser") != 0 for context in contexts(pod))


def seccomp(pod: Pod) -> bool:
    whole, *each = [(context.get("seccompProfile") or {}).get("type") for context in contexts(pod)]
    allowed = {"RuntimeDefault", "Localhost"}
    return all((own or whole) in allowed for own in each) and whole in {None, *allowed}


def capabilities(pod: Pod) -> bool:
    """*baseline* lets containers add some; *restricted* but one, and wants the others dropped."""
    each = [context.get("capabilities") or {} for context in of_containers(pod)]
    return all(
        "ALL" in (own.get("drop") or []) and set(own.get("add") or []) <= _CAPABILITIES & {"NET_BIND_SERVICE"}
        for own in each
    )


CONTROLS: tuple[Callable[[Pod], bool], ...] = (
    host_process,
    host_namespaces,
    privileged_containers,
    capabilities,
    host_path_volumes,
    host_ports,
    host_of_probes,
    app_armor,
    se_linux,
    proc_mount,
    seccomp,
    sysctls,
    volume_types,
    privilege_escalation,
    running_as_non_root,
    non_root_user,
)


def violations(pod: Pod) -> list[str]:
    """The controls that a pod or a pod template breaks."""
    return [control.__name__ for control in CONTROLS if not control(pod)]
