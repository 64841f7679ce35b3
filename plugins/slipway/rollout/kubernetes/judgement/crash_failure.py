"""Containers that end again and again: out of memory, or by an error of their own."""

from __future__ import annotations

from slipway.rollout.kubernetes.judgement.config_failure import (
    ARCHITECTURE,
    ARCHITECTURE_FIX,
    is_of_another_architecture,
    was_out_of_memory_at_start,
)
from slipway.rollout.kubernetes.judgement.event import Events
from slipway.rollout.kubernetes.judgement.failure import Failed
from slipway.rollout.kubernetes.judgement.patience import Clock
from slipway.rollout.kubernetes.judgement.pod import Container, Ending, Pod
from slipway.rollout.kubernetes.judgement.probe_failure import find_probe_kill
from slipway.rollout.kubernetes.judgement.wording import times, vendor_text

_READ_LOG = (
    "Read the container's last lines: they name the error. Correct it (train.estimator and its module, serving/, the image's "
    "libraries) and run the rollout again."
)
_KILLED = (
    "Raise deploy.kubernetes.memory: the node kills what needs more. If there is enough, read the container's last lines: it "
    "may not stop when it is told to."
)
_LEAVE_COMMAND = "Leave command and args of serving/k8s/deployment.yaml and the image's ENTRYPOINT as they came."
_MAYBE_ARCHITECTURE = f"{_READ_LOG} If they say exec format error, {ARCHITECTURE}: {ARCHITECTURE_FIX}"
_FIXES = {
    0: _LEAVE_COMMAND,
    126: _LEAVE_COMMAND,
    127: _LEAVE_COMMAND,
    137: _KILLED,
    255: _MAYBE_ARCHITECTURE,
}


def find_memory_failure(pod: Pod, container: Container, clock: Clock) -> Failed | None:
    """The failure of a container that needs more memory than its limit; once may happen, twice is one."""
    ending = _repeated_ending(container, clock)
    at_start = was_out_of_memory_at_start(container)
    if not at_start and (ending is None or not ending.is_out_of_memory):
        return None
    limit = container.memory_limit
    when = "when it was started" if at_start else times(container.endings)
    why = (
        f"container {container.name} was killed {when} because it needed more memory than its limit"
        f"{f' of {limit}' if limit else ''} (OOMKilled, exit code 137)"
    )
    now = f" (now {limit})" if limit else ""
    fix = f"Raise deploy.kubernetes.memory{now}, or lower deploy.kubernetes.workers: each worker holds the model."
    return Failed("OOMKilled", pod.on, why, fix, pod.name, container.name, previous=container.has_previous)


def find_crash(pod: Pod, container: Container, events: Events, clock: Clock) -> Failed | None:
    """The failure of a container that ends by itself; one restart is none, nor is being killed for a failed probe."""
    ending = _repeated_ending(container, clock)
    if ending is None or ending.is_out_of_memory or find_probe_kill(pod, container, events):
        return None
    last_words = _last_line(ending.message)
    foreign = is_of_another_architecture(ending.message)
    why = (
        f"container {container.name} ended {times(container.endings)} ({ARCHITECTURE if foreign else ending.said})"
        f"{f'; its last line: {last_words}' if last_words else ''}"
    )
    fix = ARCHITECTURE_FIX if foreign else _FIXES.get(ending.exit_code or 0, _READ_LOG)
    return Failed("CrashLoopBackOff", pod.on, why, fix, pod.name, container.name, previous=container.has_previous)


def _repeated_ending(container: Container, clock: Clock) -> Ending | None:
    """How the container last ended, if it did so repeatedly, in this rollout, and has not recovered."""
    ending = container.ending
    in_loop = container.waiting == "CrashLoopBackOff"
    if ending is None or container.ready or (container.endings < 2 and not in_loop):
        return None
    if not in_loop and (ending.exit_code == 0 or not _is_of_this_rollout(ending, clock)):
        return None
    return ending


def _is_of_this_rollout(ending: Ending, clock: Clock) -> bool:
    return ending.finished is None or clock.is_of_this_rollout(ending.finished)


def _last_line(message: str) -> str:
    lines = [line for line in message.splitlines() if line.strip()]
    return vendor_text(lines[-1]) if lines else ""
