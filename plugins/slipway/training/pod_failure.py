"""Why a pod did not do its job, from what the API says of it; each cause is the error that asks for the right reaction."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from slipway.core.errors import AbsentError, ConfigurationError, DeniedError, SlipwayError, UnavailableError

_LAST_LINES = 10
_WHY_CHARACTERS = 1200
_SIGNALLED = {128 + 9, 128 + 15}
_NOT_OUR_JOB = 2
_DENIED = re.compile(r"unauthorized|denied|forbidden|authentication required|no basic auth", re.IGNORECASE)
_ABSENT = re.compile(r"not found|manifest unknown|does not exist", re.IGNORECASE)


class _Cause(NamedTuple):
    kind: type[SlipwayError]
    why: str
    fix: str


def failure_of(pod: dict[str, Any] | None, stage: str, name: str, event: str = "") -> SlipwayError:
    """The error of a pod that ended, or never began, without an outcome of its own.

    Args:
        pod: as the API has it (camelCase), or None where it is gone.
        stage: ``train`` or ``evaluate``.
        name: ``namespace/name`` of the pod, for the text.
        event: what was said by who waited for it, used where the pod's status has no cause.
    """
    cause = _find_cause(pod, event)
    return cause.kind(f"could not {stage} in a pod", on=name, why=cause.why[-_WHY_CHARACTERS:], fix=cause.fix)


def _find_cause(pod: dict[str, Any] | None, event: str) -> _Cause:
    if pod is None:
        why = "it is gone: somebody deleted it, or its node went away"
        return _Cause(UnavailableError, why, "Clear the task; it finds what was done.")
    status = pod.get("status") or {}
    found = _of_pod(status) or _of_container(_container_state(status)) or _of_conditions(status)
    why = event or f"its phase is {status.get('phase', 'unknown')}"
    return found or _Cause(UnavailableError, why, "Look at its events (kubectl describe pod) and the task's log.")


def _of_pod(status: dict[str, Any]) -> _Cause | None:
    """What ended the pod as a whole."""
    reason, message = status.get("reason"), status.get("message") or ""
    if reason == "DeadlineExceeded":
        return _Cause(ConfigurationError, "it ran out of time", "Raise train.pod.timeout_minutes or train.pod.cpu.")
    if reason == "Evicted" and "emptydir" in message.lower():
        return _Cause(ConfigurationError, f"Evicted: {message}", "Raise train.pod.disk in the model file.")
    disruption = _condition(status, "DisruptionTarget", "True")
    if reason in {"Evicted", "Preempting", "NodeLost", "Shutdown", "Terminated"} or disruption:
        text = message or (disruption or {}).get("message") or ""
        return _Cause(UnavailableError, f"its node gave it up: {reason or 'disrupted'}: {text}", "Clear the task.")
    return None


def _of_container(state: dict[str, Any]) -> _Cause | None:
    if ended := state.get("terminated"):
        return _of_end(ended)
    if waiting := state.get("waiting"):
        return _of_waiting(waiting.get("reason") or "", waiting.get("message") or "")
    return None


def _of_end(ended: dict[str, Any]) -> _Cause | None:
    code, reason = ended.get("exitCode", 0), ended.get("reason") or "Error"
    lines = _last_lines(ended.get("message") or "")
    if reason == "OOMKilled":
        return _Cause(ConfigurationError, "OOMKilled: it needs more memory than it has", "Raise train.pod.memory.")
    if code == _NOT_OUR_JOB or reason in {"StartError", "ContainerCannotRun"} or "No module named" in lines:
        fix = "Build train.pod.image of this version of Slipway, with every module that the model file names."
        return _Cause(ConfigurationError, f"its image does not run this job: {reason}, exit {code}: {lines}", fix)
    if code in _SIGNALLED:
        return _Cause(UnavailableError, f"it was ended from outside (exit {code}): {lines}", "Clear the task.")
    if code == 0:
        return _Cause(UnavailableError, "it ended well, but left no result", "Clear the task; it finds what was done.")
    return _Cause(UnavailableError, f"{reason}, exit {code}: {lines}", "The task's log has the pod's log.")


def _of_waiting(reason: str, message: str) -> _Cause | None:
    why = f"{reason}: {message}"
    if reason in {"ImagePullBackOff", "ErrImagePull"}:
        return _of_pull(why)
    if reason == "CreateContainerConfigError":
        fix = "Create the Secret in the pod's namespace, or correct train.pod.secret."
        return _Cause(AbsentError if _ABSENT.search(message) else ConfigurationError, why, fix)
    if reason in {"InvalidImageName", "CreateContainerError", "RunContainerError"}:
        return _Cause(ConfigurationError, why, "Correct train.pod.image.")
    return None


def _of_pull(why: str) -> _Cause:
    if _DENIED.search(why):
        return _Cause(DeniedError, why, "Name a Secret with the registry's log-in in train.pod.pull_secret.")
    if _ABSENT.search(why):
        return _Cause(AbsentError, why, "Push the image, or correct train.pod.image.")
    return _Cause(UnavailableError, why, "See whether the nodes reach the registry.")


def _of_conditions(status: dict[str, Any]) -> _Cause | None:
    unscheduled = _condition(status, "PodScheduled", "False")
    if unscheduled is None:
        return None
    why = f"{unscheduled.get('reason', 'Unschedulable')}: {unscheduled.get('message', '')}"
    return _Cause(UnavailableError, why, "Add a node, wait for one, or lower train.pod.cpu and train.pod.memory.")


def _condition(status: dict[str, Any], kind: str, value: str) -> dict[str, Any] | None:
    conditions: list[dict[str, Any]] = status.get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind and one.get("status") == value), None)


def _container_state(status: dict[str, Any]) -> dict[str, Any]:
    statuses: list[dict[str, Any]] = status.get("containerStatuses") or [{}]
    return statuses[0].get("state") or {}


def termination_message(pod: dict[str, Any]) -> str:
    """What the container left as it ended, or nothing."""
    ended = _container_state(pod.get("status") or {}).get("terminated") or {}
    return ended.get("message") or ""


def _last_lines(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_LINES:]) or "its log is empty"
