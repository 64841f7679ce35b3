"""Whether a rollout progresses, is complete or has failed: a pure function of what the cluster's objects say.

It says so early, long before the Deployment's progress deadline, and not falsely: it looks at the new version's pods only,
and what may still mend itself is given time (`Patience`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from slipway.rollout.kubernetes.judgement.activity import describe_activity
from slipway.rollout.kubernetes.judgement.api_object import find_time, number, text
from slipway.rollout.kubernetes.judgement.diagnosis import find_failures
from slipway.rollout.kubernetes.judgement.event import Events
from slipway.rollout.kubernetes.judgement.failure import PRECEDENCE, Failed, Reason, worst
from slipway.rollout.kubernetes.judgement.patience import NONE, Clock, Patience
from slipway.rollout.kubernetes.judgement.rollout import Observed, Rollout
from slipway.rollout.kubernetes.judgement.wording import counted, duration, reference

__all__ = [
    "PRECEDENCE",
    "Complete",
    "Failed",
    "Observed",
    "Patience",
    "Progressing",
    "Reason",
    "Verdict",
    "explain_timeout",
    "judge",
    "worst",
]


@dataclass(frozen=True)
class Progressing:
    """Neither complete nor failed, e.g. ``"2 of 3 new pods ready, 1 old pod left; pulling the image on node x"``."""

    summary: str


@dataclass(frozen=True)
class Complete:
    """Every wanted pod of the new version is available, and no other pod is left."""

    summary: str


Verdict = Progressing | Complete | Failed
_PATIENCE = Patience()
_ELSE = (
    "Raise deploy.kubernetes.timeout_minutes if the pods only need longer; else look at what the cluster says of them: "
    "kubectl get events in the namespace, sorted by time."
)
_CHANGED = (
    "Find out who changed it (its managedFields name the manager and the time); if this version is to serve, run the rollout "
    "again."
)
_DELETED = (
    "Find out who deleted it (the cluster's audit log names the user); if the model is to be served, run the rollout "
    "again."
)


def judge(
    observed: Observed,
    *,
    version_id: str,
    now: datetime,
    since: datetime | None = None,
    patience: Patience = _PATIENCE,
) -> Verdict:
    """Say how the rollout of a version stands.

    Args:
        observed: the Deployment and what may be its own, the Deployment read first.
        version_id: the value that the Deployment's annotation slipway.dev/version-id must have.
        now: the present time, with a time zone.
        since: when the version was applied: conditions and events from before are an earlier rollout's. None: when the
            Deployment's managed fields say that Slipway last changed it.
        patience: how long what may mend itself is waited for.

    Returns:
        Complete or Failed only where the Deployment's status is of its present specification.
    """
    if observed.deployment is None:
        return Failed("Superseded", "Deployment", "it is gone: somebody deleted it", _DELETED)
    rollout = Rollout(observed)
    if not rollout.is_seen:
        return Progressing("the cluster has not looked at the Deployment's change yet")
    if taken := _find_takeover(rollout, version_id):
        return taken
    if rollout.is_complete:
        return Complete(f"{counted(rollout.wanted, 'pod')} of the new version available")
    clock = _clock(rollout, now, since, patience)
    events = Events(rollout.events, clock)
    failed = worst(find_failures(rollout, events, clock)) or _find_deadline(rollout, events, clock)
    return failed or Progressing(_summary(rollout, events, clock))


def explain_timeout(
    observed: Observed, *, version_id: str, now: datetime, waited_seconds: float, since: datetime | None = None
) -> Complete | Failed:
    """What to tell when the caller's own time is up: the likeliest cause, without any more patience."""
    verdict = judge(observed, version_id=version_id, now=now, since=since, patience=NONE)
    if not isinstance(verdict, Progressing):
        return verdict
    on = reference("Deployment", observed.deployment)
    why = f"it is not complete after {duration(waited_seconds)}: {verdict.summary}"
    return Failed("DeadlineExceeded", on, why, _ELSE)


def _find_takeover(rollout: Rollout, version_id: str) -> Failed | None:
    """Whether somebody else changed the Deployment since we did."""
    on = reference("Deployment", rollout.deployment)
    if rollout.is_deleted:
        return Failed("Superseded", on, "somebody deleted it", _DELETED)
    if rollout.version_id == version_id:
        return None
    there = f"version {rollout.version_id}" if rollout.version_id else "no version of Slipway's"
    why = f"somebody changed it: it declares {there}, and version {version_id} was being rolled out"
    return Failed("Superseded", on, why, _CHANGED)


def _find_deadline(rollout: Rollout, events: Events, clock: Clock) -> Failed | None:
    """The progress deadline, unless it is an earlier rollout's; with what looks likeliest to be the cause."""
    progressing = rollout.condition("Progressing")
    is_exceeded = (text(progressing, "status"), text(progressing, "reason")) == ("False", "ProgressDeadlineExceeded")
    if not is_exceeded or not clock.is_of_this_rollout(find_time(progressing, "lastUpdateTime")):
        return None
    cause = worst(find_failures(rollout, events, replace(clock, patience=NONE)))
    limit = number(rollout.deployment, "spec", "progressDeadlineSeconds", default=600)
    stopped = f"no progress for {duration(limit)}"
    if cause is None:
        on = reference("Deployment", rollout.deployment)
        return Failed("DeadlineExceeded", on, f"{stopped}: {_summary(rollout, events, clock)}", _ELSE)
    return replace(cause, reason="DeadlineExceeded", why=f"{stopped}: {cause.why}")


def _clock(rollout: Rollout, now: datetime, since: datetime | None, patience: Patience) -> Clock:
    """This rollout began when the version was applied, and not before its ReplicaSet was made."""
    times = (since or rollout.started, find_time(rollout.new_replica_set, "metadata", "creationTimestamp"))
    return Clock(now, max((time for time in times if time), default=None), patience)


def _summary(rollout: Rollout, events: Events, clock: Clock) -> str:
    """How far it is, and what is waited for."""
    old = f", {counted(rollout.old, 'old pod')} left" if rollout.old else ""
    activity = describe_activity(rollout, events, clock)
    return f"{rollout.ready} of {counted(rollout.wanted, 'new pod')} ready{old}{f'; {activity}' if activity else ''}"
