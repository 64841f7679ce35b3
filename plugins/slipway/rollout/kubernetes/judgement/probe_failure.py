"""Probes of a container that fail for longer than a start takes."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from slipway.rollout.kubernetes.judgement.api_object import Json, condition, field, find_time, text
from slipway.rollout.kubernetes.judgement.event import Event, Events
from slipway.rollout.kubernetes.judgement.failure import Failed
from slipway.rollout.kubernetes.judgement.patience import Clock
from slipway.rollout.kubernetes.judgement.pod import Container, Pod
from slipway.rollout.kubernetes.judgement.wording import duration, times, vendor_text

_KILLED = re.compile(r"Container (\S+) failed (startup|liveness) probe, will be restarted")
_ANSWER = re.compile(r"^(Startup|Readiness|Liveness) probe (?:failed|errored[^:]*|warning): ", re.IGNORECASE)

_LONGER = "If it only needs longer to load the model, give it more CPU (deploy.kubernetes.cpu_limit)."
_SLOW = "Give the server more CPU (deploy.kubernetes.cpu_limit): it does not answer in time."
_FIXES = (
    (
        r"connection refused",
        f"Read the container's last lines: the server does not listen. {_LONGER}",
    ),
    (r"timeout|deadline exceeded|timed out", _SLOW),
    (
        r"statuscode: 503",
        f"Read the container's last lines: the server answers, but its model is not loaded. {_LONGER}",
    ),
    (
        r"statuscode: 40[0-9]",
        "Check that the image is a model server's and the probes' paths in serving/k8s/deployment.yaml are as they came.",
    ),
    (r"no route to host|network is unreachable", "Mend the node's pod network: the kubelet does not reach the pod."),
)
_ELSE = "Read the container's last lines: they say why it does not get ready."


def find_probe_failure(pod: Pod, container: Container, events: Events, clock: Clock) -> Failed | None:
    """The failure of a container that was killed for a probe, or runs for long without being ready.

    A startup probe that was in vain to its end is one; a liveness probe may fail once in a container's life.
    """
    if container.ready:
        return None
    killed = find_probe_kill(pod, container, events)
    if killed and (killed == "startup" or container.endings > 1 or container.waiting == "CrashLoopBackOff"):
        return _killed(pod, container, killed, events)
    is_unready = container.is_running and not container.is_starting
    if is_unready and clock.lasted(_unready_since(pod, container), clock.patience.unready_seconds):
        return _unready(pod, container, events, clock)
    return None


def find_probe_kill(pod: Pod, container: Container, events: Events) -> str | None:
    """The probe for which the container was last killed ("startup", "liveness"), or None if it ended otherwise."""
    ending = container.ending
    for event in reversed(events.about("Pod", pod.obj, "Killing")):
        match = _KILLED.search(event.message)
        if match and match[1] == container.name and (ending is None or _is_after(event, ending.started)):
            return match[2]
    return None


def _unready_since(pod: Pod, container: Container) -> datetime | None:
    """When it could have been ready; a pod that was ready before has been unready only since it lost that."""
    started = container.running_since
    if started is None:
        return None
    lost = find_time(condition(pod.obj, "ContainersReady"), "lastTransitionTime")
    return max(started + timedelta(seconds=container.startup_seconds), lost or started)


def _is_after(event: Event, time: datetime | None) -> bool:
    return time is None or event.last is None or event.last >= time


def _killed(pod: Pod, container: Container, probe: str, events: Events) -> Failed:
    answer = _find_answer(pod, container, probe, events)
    why = (
        f"container {container.name} was killed {times(container.endings)} because its {probe} probe"
        f"{_target(container, probe)} failed{f': {vendor_text(answer)}' if answer else ''}"
    )
    return Failed("FailedProbes", pod.on, why, _fix(answer), pod.name, container.name, previous=container.has_previous)


def _unready(pod: Pod, container: Container, events: Events, clock: Clock) -> Failed:
    answer = _find_answer(pod, container, "readiness", events)
    why = (
        f"container {container.name} runs for {duration(clock.seconds_since(container.running_since))} and its readiness "
        f"probe{_target(container, 'readiness')} does not succeed{f': {vendor_text(answer)}' if answer else ''}"
    )
    return Failed("FailedProbes", pod.on, why, _fix(answer), pod.name, container.name)


def _find_answer(pod: Pod, container: Container, probe: str, events: Events) -> str:
    """What the probe last got for an answer, or an empty string."""
    for event in reversed(events.about("Pod", pod.obj, "Unhealthy", "ProbeWarning")):
        match = _ANSWER.match(event.message)
        if match and match[1].lower() == probe and event.container in {"", container.name}:
            return event.message[match.end() :]
    return ""


def _target(container: Container, probe: str) -> str:
    """What the probe asks for, e.g. ``" (GET /v2/health/ready)"``."""
    http: Json | None = field(container.spec, f"{probe}Probe", "httpGet")
    path = text(http, "path")
    return f" (GET {path})" if path else ""


def _fix(answer: str) -> str:
    return next((fix for pattern, fix in _FIXES if re.search(pattern, answer, re.IGNORECASE)), _ELSE)
