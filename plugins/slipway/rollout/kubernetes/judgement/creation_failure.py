"""Pods that are missing because the cluster refuses to create them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from slipway.rollout.kubernetes.judgement.api_object import Json, condition, find_time, number, text
from slipway.rollout.kubernetes.judgement.event import Events
from slipway.rollout.kubernetes.judgement.failure import Failed
from slipway.rollout.kubernetes.judgement.patience import Clock
from slipway.rollout.kubernetes.judgement.refusal import Refusal, find_refusal
from slipway.rollout.kubernetes.judgement.rollout import Rollout
from slipway.rollout.kubernetes.judgement.wording import reference


@dataclass(frozen=True)
class _Refused:
    """That pods, or their ReplicaSet, are refused now: in which words and since when."""

    on: str
    message: str
    since: datetime | None


def find_creation_failure(rollout: Rollout, events: Events, clock: Clock) -> Failed | None:
    """The refusal to create the new version's pods; what may pass by itself has to last."""
    refused = _find_refused(rollout, events, clock)
    refusal = find_refusal(refused.message) if refused else None
    if refused is None or refusal is None or (refusal.passes and not _has_lasted(refused, refusal, rollout, clock)):
        return None
    return Failed(refusal.reason, refused.on, refusal.why, refusal.fix)


def _has_lasted(refused: _Refused, refusal: Refusal, rollout: Rollout, clock: Clock) -> bool:
    """Whether it has lasted; a quota is still in use by pods that are about to end."""
    if refusal.reason == "QuotaExceeded" and rollout.has_ending_pods and clock.patience.refused_seconds:
        return False
    return clock.lasted(refused.since, clock.patience.refused_seconds)


def _find_refused(rollout: Rollout, events: Events, clock: Clock) -> _Refused | None:
    new = rollout.new_replica_set
    if new is None:
        return _replica_set_refused(rollout, clock)
    on = reference("ReplicaSet", new)
    if failing := _failing(new):
        return _Refused(on, text(failing, "message"), find_time(failing, "lastTransitionTime"))
    if number(new, "status", "replicas") >= number(new, "spec", "replicas"):
        return None
    # The Deployment repeats the condition of any of its ReplicaSets, also of an old one's.
    failing = _failing(rollout.deployment)
    if failing and not any(_failing(old) for old in rollout.old_replica_sets):
        return _Refused(on, text(failing, "message"), find_time(failing, "lastTransitionTime"))
    return _by_events(new, events)


def _by_events(new: Json, events: Events) -> _Refused | None:
    """By events, which are of the past: it holds only while no pod could be created after it."""
    told = events.about("ReplicaSet", new, "FailedCreate", "SuccessfulCreate")
    if not told or told[-1].reason != "FailedCreate":
        return None
    return _Refused(reference("ReplicaSet", new), told[-1].message, told[-1].first)


def _replica_set_refused(rollout: Rollout, clock: Clock) -> _Refused | None:
    """That not even the ReplicaSet could be created."""
    progressing = rollout.condition("Progressing")
    is_refused = (text(progressing, "status"), text(progressing, "reason")) == ("False", "ReplicaSetCreateError")
    if not is_refused or not clock.is_of_this_rollout(find_time(progressing, "lastUpdateTime")):
        return None
    since = find_time(progressing, "lastTransitionTime")
    return _Refused(reference("Deployment", rollout.deployment), text(progressing, "message"), since)


def _failing(obj: Json) -> Json | None:
    found = condition(obj, "ReplicaFailure")
    return found if text(found, "status") == "True" else None
