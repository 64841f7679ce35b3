"""Pods for which the scheduler finds no node: its message decoded, and who can do something about it."""

from __future__ import annotations

import re

from slipway.rollout.kubernetes.judgement.api_object import condition, find_time, text
from slipway.rollout.kubernetes.judgement.event import Events
from slipway.rollout.kubernetes.judgement.failure import Failed
from slipway.rollout.kubernetes.judgement.patience import Clock
from slipway.rollout.kubernetes.judgement.pod import Pod
from slipway.rollout.kubernetes.judgement.wording import vendor_text

_NODES = re.compile(r"^(\d+)/(\d+) nodes are available: (.*?)\.?(?: preemption: .*)?$", re.DOTALL)
_PARTS = re.compile(r", (?=\d+ |\w[^,]* (?:not found|unbound))")
_ANNOUNCED = ("TriggeredScaleUp", "Nominated")  # by the cluster autoscaler and by Karpenter

_CORDONED = "Let pods onto the nodes again (kubectl uncordon), or add nodes."
_TAINTED = "Add nodes that take any pod, or a toleration of the taint to serving/k8s/deployment.yaml."
_SICK = "Mend the node (kubectl describe node): the cluster itself has marked it, and will take the mark off."
_FIXES = (
    (r"Insufficient cpu", "Lower deploy.kubernetes.cpu (a pod asks for {cpu}), free CPU on the nodes, or add nodes."),
    (
        r"Insufficient memory",
        "Lower deploy.kubernetes.memory (a pod asks for {memory}), free memory on the nodes, or add nodes.",
    ),
    (r"no nodes available", "Add nodes to the cluster."),
    (r"Too many pods", "Add nodes, or remove pods: each node takes a limited number."),
    (
        r"Insufficient",
        "Add nodes that have the resource, or take it out of the requests in serving/k8s/deployment.yaml.",
    ),
    (r"node\.kubernetes\.io/unschedulable|were unschedulable", _CORDONED),
    (r"node\.kubernetes\.io/|node\.cloudprovider\.kubernetes\.io/", _SICK),
    (r"untolerated taint", _TAINTED),
    (
        r"topology spread",
        "Set whenUnsatisfiable in serving/k8s/deployment.yaml back to ScheduleAnyway, or add nodes.",
    ),
    (
        r"affinity|selector",
        "Label a node as the pod's nodeSelector or affinity in serving/k8s/deployment.yaml asks, or take that out.",
    ),
    (r"[Pp]ersistent[Vv]olume", "Create the volume claim that serving/k8s/deployment.yaml names, or take it out."),
)
_ELSE = (
    "Add nodes that satisfy what the scheduler says, or lower what the pod asks for (deploy.kubernetes.cpu, memory)."
)


def find_scheduling_failure(pod: Pod, events: Events, clock: Clock) -> Failed | None:
    """The failure to find a node, once it has lasted; longer where an autoscaler has said that one is on its way.

    A pod for which others are being evicted (it has a nominated node) waits for them to go, and is no failure.
    """
    scheduled = condition(pod.obj, "PodScheduled")
    is_waiting = (text(scheduled, "status"), text(scheduled, "reason")) == ("False", "Unschedulable")
    if not is_waiting or pod.node or text(pod.obj, "status", "nominatedNodeName"):
        return None
    announced = events.about("Pod", pod.obj, *_ANNOUNCED)
    start = announced[-1].last if announced else find_time(scheduled, "lastTransitionTime")
    seconds = clock.patience.scale_up_seconds if announced else clock.patience.unschedulable_seconds
    if not clock.lasted(start, seconds):
        return None
    message = text(scheduled, "message")
    why = f"no node takes the pod: {decode(message)}{_autoscaler(pod, events)}"
    return Failed("Unschedulable", pod.on, why, _fix(pod, message), pod.name)


def decode(message: str) -> str:
    """The scheduler's message as a person says it, e.g. ``"of 3 nodes, 2 have too little free cpu, 1 is tainted ..."``."""
    match = _NODES.match(message)
    if not match:
        return vendor_text(message) or "the scheduler does not say why"
    of = f"of {match[2]} node{'' if match[2] == '1' else 's'}, "
    parts = [_part(part) for part in _PARTS.split(match[3])]
    return vendor_text(of + ", ".join(parts) if match[3][:1].isdigit() else ", ".join(parts))


_PART_TEXTS = (
    (r"Insufficient (\S+)", r"too little free \1"),
    (r"Too many pods", "no room for another pod"),
    (r"node\(s\) had untolerated taint(?:\(s\))? \{([^:}]+): *([^}]*)\}", r"tainted \1=\2"),
    (r"node\(s\) had untolerated taint\(s\)", "tainted"),
    (r"node\(s\) were unschedulable", "cordoned"),
    (
        r"node\(s\) didn't match pod topology spread constraints(?: \(missing required label\))?",
        "against the pod's topology spread",
    ),
    (r"node\(s\) didn't match Pod's node affinity/selector", "not matching the pod's node selector or affinity"),
    (r"node\(s\) didn't match pod anti-affinity rules", "against the pod's anti-affinity"),
)


def _part(part: str) -> str:
    """One clause of the message, e.g. ``"2 Insufficient cpu"`` as ``"2 with too little free cpu"``."""
    match = re.match(r"(\d+) (.*)$", part.strip().rstrip("."), re.DOTALL)
    if not match:
        return part.strip()
    for pattern, said in _PART_TEXTS:
        if found := re.fullmatch(pattern, match[2]):
            words = found.expand(said).rstrip("=")
            return f"{match[1]} {'with ' if words.startswith(('too', 'no ')) else ''}{words}"
    return f"{match[1]} {match[2]}"


def _autoscaler(pod: Pod, events: Events) -> str:
    """What an autoscaler says to it, if there is one."""
    told = events.about("Pod", pod.obj, "NotTriggerScaleUp", *_ANNOUNCED)
    if not told:
        return ""
    if told[-1].reason == "NotTriggerScaleUp":
        return f"; the autoscaler adds none: {vendor_text(told[-1].message.split(': ', 1)[-1], 120)}"
    return "; the node that the autoscaler announced did not come"


def _fix(pod: Pod, message: str) -> str:
    fix = next((fix for pattern, fix in _FIXES if re.search(pattern, _NODES.sub(r"\3", message))), _ELSE)
    return fix.format(cpu=pod.cpu_request or "its request", memory=pod.memory_request or "its request")
