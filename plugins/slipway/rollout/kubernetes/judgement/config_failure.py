"""Containers that a node cannot make or start: what they refer to is missing, or the image and its settings do not fit."""

from __future__ import annotations

import re

from slipway.rollout.kubernetes.judgement.failure import Failed
from slipway.rollout.kubernetes.judgement.pod import Container, Pod
from slipway.rollout.kubernetes.judgement.wording import vendor_text

_WAITING = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PreStartHookError",
        "PostStartHookError",
    }
)
_NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})

# A busy node or a cache that is not filled yet; the kubelet tries again.
_PASSES = re.compile(
    r"failed to sync (?:configmap|secret) cache|context deadline exceeded|is reserved for|failed to reserve container name"
)
_OUT_OF_MEMORY = "container init was OOM-killed"
_RUNTIME = re.compile(
    r"^(?:failed to (?:generate container \"\w+\" spec|create containerd task|create shim task|start container \"\w+\""
    r"|create containerd container): |OCI runtime create failed: |runc create failed: |unable to start container process: "
    r"|error during container init: |failed to generate spec: )+"
)
ARCHITECTURE = "the image is of another processor architecture than the node"
ARCHITECTURE_FIX = (
    "Build the image for the architecture of the cluster's nodes (kubectl get nodes -L kubernetes.io/arch), or restrict the "
    "pods to nodes of the image's by a nodeSelector in serving/k8s/deployment.yaml."
)
_WRONG_ARCHITECTURE = "exec format error"
_FIXES = (
    (_WRONG_ARCHITECTURE, ARCHITECTURE_FIX),
    (
        r"(?:configmap|secret) \"[^\"]*\" not found|couldn't find key|references non-existent",
        "Run the rollout again: it applies its ConfigMaps. Another one that serving/k8s/ names has to be there before.",
    ),
    (
        r"runAsNonRoot|non-numeric user|run as root",
        "Build the image with a numeric USER other than 0, as serving/Dockerfile has it.",
    ),
    (
        r"executable file not found|no such file or directory|exec: ",
        "Build the image from serving/Dockerfile, and leave command and args of serving/k8s/deployment.yaml as they came.",
    ),
    (
        r"permission denied|operation not permitted",
        "See that the image's user (USER in serving/Dockerfile) may execute the command.",
    ),
    (
        r"read-only file system",
        "Mount an emptyDir where the server writes: the root file system is read-only (serving/k8s/deployment.yaml).",
    ),
)
_ELSE = "Correct what the message names in serving/k8s/deployment.yaml or in the model file, and run the rollout again."


def find_config_failure(pod: Pod, container: Container) -> Failed | None:
    """The failure to make or start a container, or None."""
    message = _message(container)
    if message is None or _PASSES.search(message) or _OUT_OF_MEMORY in message:
        return None
    hint = f"{ARCHITECTURE}: " if is_of_another_architecture(message) else ""
    why = f"container {container.name} cannot be started: {hint}{bare_message(message) or container.waiting}"
    return Failed("ConfigError", pod.on, why, config_fix(message), pod.name)


def was_out_of_memory_at_start(container: Container) -> bool:
    """Whether its memory limit was too low even for starting it."""
    return _OUT_OF_MEMORY in (_message(container) or "")


def is_of_another_architecture(message: str) -> bool:
    """Whether the node could not run the image's program at all."""
    return _WRONG_ARCHITECTURE in message.lower()


def config_fix(message: str) -> str:
    """What to do about such a message."""
    return next((fix for pattern, fix in _FIXES if re.search(pattern, message, re.IGNORECASE)), _ELSE)


def bare_message(message: str) -> str:
    """The message without what each layer of the runtime puts before it."""
    return vendor_text(_RUNTIME.sub("", message).removesuffix(": unknown"))


def _message(container: Container) -> str | None:
    """What kubelet or runtime say, or None if the container could be started."""
    if container.waiting in _WAITING:
        return container.waiting_message
    ending = container.ending
    failed = ending is not None and ending.reason in _NOT_STARTED and not container.is_running
    return ending.message if ending and failed else None
