"""Why a rollout failed, and which of several reasons is the one to tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

# In the order in which they are told: what stops a pod earlier in its life explains more than what comes of it, and what
# pods say of themselves explains more than that some are missing.
Reason = Literal[
    "ImagePullBackOff",
    "ConfigError",
    "OOMKilled",
    "CrashLoopBackOff",
    "FailedProbes",
    "Unschedulable",
    "PodSecurity",
    "WebhookDenied",
    "QuotaExceeded",
    "NodeProblem",
    "DeadlineExceeded",
    "Superseded",
]
PRECEDENCE: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True)
class Failed:
    """The rollout will not complete by itself.

    Args:
        reason: the class of the failure.
        on: the object that shows it, e.g. ``"pod models/iris-7c9d8b5f64-x2x4k"``.
        why: the cause, without a full stop.
        fix: what to do, as whole sentences.
        pod: the pod to look at, if there is one.
        container: the container whose log explains it; None where there is no log.
        previous: the log is that of the container's previous run.
    """

    reason: Reason
    on: str
    why: str
    fix: str
    pod: str | None = None
    container: str | None = None
    previous: bool = False


def worst(failures: Iterable[Failed]) -> Failed | None:
    """The one to tell, by precedence and then by name, so that the same state always gives the same text."""
    found = list(failures)
    chosen = min(found, key=_rank, default=None)
    if chosen is None or chosen.pod is None:
        return chosen
    others = len({failure.pod for failure in found if failure.reason == chosen.reason} - {chosen.pod})
    if not others:
        return chosen
    return replace(chosen, why=f"{chosen.why} (and so {others} more of the new pods)")


def _rank(failure: Failed) -> tuple[int, str, str, str, str]:
    place = PRECEDENCE.index(failure.reason)
    return place, failure.pod or "", failure.container or "", failure.why, failure.fix
