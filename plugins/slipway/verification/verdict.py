"""What an analysis found, as it travels from the triggerer to the task, and as a person reads it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slipway.core.errors import RolloutError, SlipwayError
from slipway.verification.analysis import AnalysisRun

UNDONE = "Undo takes it back; the champion gets all requests again."
_KEPT = 60  # measurements that the task gets to see: the last ones
_HEAD = f"{'#':>3}  {'metric':<12}  {'outcome':<12}  what was seen"


def as_event(run: AnalysisRun) -> dict[str, Any]:
    """As JSON: ``{"phase", "measurements": [..], "left_out": how many earlier ones, "deciding": measurement or None}``."""
    measured, deciding = [each.as_xcom() for each in run.measurements], run.deciding
    return {
        "phase": run.phase,
        "measurements": measured[-_KEPT:],
        "left_out": max(0, len(measured) - _KEPT),
        "deciding": deciding.as_xcom() if deciding else None,
    }


def error_as_event(error: SlipwayError) -> dict[str, Any]:
    """An error as JSON, ``{"error": {..}}``."""
    return {"error": error.as_json()}


def find_error(event: Mapping[str, Any]) -> SlipwayError | None:
    """The error that an event holds, to be raised again."""
    return SlipwayError.from_json(event["error"]) if "error" in event else None


def table(event: Mapping[str, Any]) -> str:
    """A heading, and a line for each measurement."""
    left_out = [f"    ({event['left_out']} earlier ones)"] if event["left_out"] else []
    return "\n".join([_HEAD, *left_out, *map(line, event["measurements"])])


def line(measurement: Mapping[str, Any]) -> str:
    """One measurement."""
    number, metric, outcome = measurement["number"], measurement["metric"], measurement["outcome"]
    return f"{number:>3}  {metric:<12}  {outcome:<12}  {measurement['message']}"


def question(event: Mapping[str, Any]) -> str:
    """What a person is told who has to decide, as Markdown."""
    found = event["deciding"]
    return (
        f"It cannot be told whether it is good: {found['metric']}: {found['message']}.\n\n```\n{table(event)}\n```\n\n"
        "Approve lets the rollout go on. Reject takes the version back."
    )


def good(on: str, event: Mapping[str, Any]) -> str:
    """A good version in one line."""
    measured: Sequence[Mapping[str, Any]] = event["measurements"]
    names = ", ".join(dict.fromkeys(each["metric"] for each in measured))
    return f"{on} is good: {len(measured) + event['left_out']} measurements of {names}"


def bad(on: str, event: Mapping[str, Any], *, limit: int, namespace: str) -> RolloutError:
    """The error of a version that is not taken.

    Args:
        on: the version.
        event: whose phase is Failed or Error.
        limit: how many failures, or errors in a row, are allowed.
        namespace: of its pods.
    """
    found, is_error = event["deciding"], event["phase"] == "Error"
    what = "could not be measured" if is_error else "is not as it must be"
    allowed = f" ({limit} {'in a row ' if is_error else ''}allowed)" if limit else ""
    why = f"{found['metric']} {what}, measurement {found['number']}: {found['message']}{allowed}"
    log = f"kubectl logs -n {namespace} {found['pod'] or '<pod>'}"
    fix = f"{UNDONE} Its log says more, for as long as it is there: {log}"
    return RolloutError("did not take the new version", on=on, why=why, fix=fix)


def refused(on: str, why: str) -> RolloutError:
    """The error of a version that a person did not take."""
    return RolloutError("did not take the new version", on=on, why=why, fix=UNDONE)
