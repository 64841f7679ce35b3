"""Nodes that lose pods or do not get them started: only when it happens again and again."""

from __future__ import annotations

from collections.abc import Sequence

from slipway.rollout.kubernetes.judgement.api_object import text
from slipway.rollout.kubernetes.judgement.config_failure import config_fix
from slipway.rollout.kubernetes.judgement.event import Event, Events
from slipway.rollout.kubernetes.judgement.failure import Failed
from slipway.rollout.kubernetes.judgement.patience import Clock
from slipway.rollout.kubernetes.judgement.pod import Pod
from slipway.rollout.kubernetes.judgement.wording import counted, times, vendor_text

_CREATING = frozenset({"", "ContainerCreating", "PodInitializing"})
_SETUP = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "NetworkNotReady", "FailedMapVolume")
_GOES_ON = ("Pulling", "Pulled", "Created")  # what the kubelet does once volumes and network are ready
_REPEATS = 3
_LOSSES = 2
_MEND = "Mend the node (kubectl describe node {node}), or take it out of service (kubectl cordon {node})."
_PRESSURE = (
    "Give the nodes more memory or disk, or move other work away; a pod whose memory request is its limit, as "
    "deploy.kubernetes.memory is, is evicted last."
)


def find_setup_failure(pod: Pod, events: Events, clock: Clock) -> Failed | None:
    """The failure of a node to get a pod's volumes or network ready: repeated, and for some time."""
    if not pod.node or any(
        container.waiting not in _CREATING or container.is_running for container in pod.containers()
    ):
        return None
    told = events.about("Pod", pod.obj, *_SETUP, *_GOES_ON)
    if not told or told[-1].reason in _GOES_ON:
        return None
    told = [event for event in told if event.reason in _SETUP]
    first = min((event.first for event in told if event.first), default=None)
    if sum(event.count for event in told) < _REPEATS or not clock.lasted(first, clock.patience.node_seconds):
        return None
    return _setup(pod, told)


def find_losses(pods: Sequence[Pod]) -> Failed | None:
    """The failure of pods that nodes evicted or gave up: the first of them may be bad luck, a second is none."""
    lost = [pod for pod in pods if text(pod.obj, "status", "reason") and pod.phase in {"Failed", "Unknown"}]
    if len(lost) < _LOSSES:
        return None
    last = lost[-1]
    reason, message = text(last.obj, "status", "reason"), text(last.obj, "status", "message")
    why = f"nodes gave up {counted(len(lost), 'new pod')}, the last one{_on(last)} ({reason}): {vendor_text(message)}"
    fix = _PRESSURE if reason == "Evicted" else _MEND.format(node=last.node or "<name>")
    return Failed("NodeProblem", last.on, why.rstrip(" :"), fix, last.name)


def _setup(pod: Pod, told: list[Event]) -> Failed:
    count, message = sum(event.count for event in told), told[-1].message
    what = f"{vendor_text(message)} ({told[-1].reason}, {times(count)})"
    if "not found" in message and ("configmap" in message or "secret" in message):
        return Failed(
            "ConfigError", pod.on, f"the pod's volumes cannot be mounted: {what}", config_fix(message), pod.name
        )
    why = f"node {pod.node} does not get the pod's volumes or network ready: {what}"
    return Failed("NodeProblem", pod.on, why, _MEND.format(node=pod.node), pod.name)


def _on(pod: Pod) -> str:
    return f" on node {pod.node}" if pod.node else ""
