"""A Deployment's status from its ReplicaSets, with the conditions, reasons and messages of Kubernetes."""

from __future__ import annotations

from datetime import datetime

from tests.cluster.owners import find_condition
from tests.cluster.rolling import bounds
from tests.cluster.store import Object, timestamp

COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")
COMPLETE, TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"


def deployment_status(deployment: Object, new: Object | None, old: list[Object], now: datetime) -> Object:
    """The whole status; counts that are 0 are left out, as the API does."""
    counts = _counts(deployment, new, old)
    before = deployment.get("status", {})
    conditions = [dict(condition) for condition in before.get("conditions", [])]
    limits = bounds(deployment)
    if counts["availableReplicas"] >= limits.least_available:
        available = ("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        text = "Deployment does not have minimum availability."
        available = ("Available", "False", "MinimumReplicasUnavailable", text)
    set_condition(conditions, *available, now=now)
    _progress(deployment, conditions, counts, new, now)
    _failure(conditions, [*([new] if new else []), *old], now)
    status = {"observedGeneration": deployment["metadata"].get("generation", 1)}
    return status | {name: number for name, number in counts.items() if number} | {"conditions": conditions}


def set_condition(
    conditions: list[Object], type_: str, status: str, reason: str, message: str, *, now: datetime, again: bool = False
) -> None:
    """Nothing happens where status and reason are the same already, unless `again`: then its update time is new."""
    found = next((condition for condition in conditions if condition["type"] == type_), None)
    if found and (found["status"], found["reason"]) == (status, reason) and not again:
        return
    time = timestamp(now)
    same = found is not None and found["status"] == status
    made = {
        "type": type_,
        "status": status,
        "lastUpdateTime": time,
        "lastTransitionTime": found["lastTransitionTime"] if found and same else time,
        "reason": reason,
        "message": message,
    }
    conditions[:] = [condition for condition in conditions if condition is not found] + [made]


def _counts(deployment: Object, new: Object | None, old: list[Object]) -> dict[str, int]:
    every = [each.get("status", {}) for each in ([new, *old] if new else old)]
    replicas = sum(each.get("replicas", 0) for each in every)
    available = sum(each.get("availableReplicas", 0) for each in every)
    return {
        "replicas": replicas,
        "updatedReplicas": new.get("status", {}).get("replicas", 0) if new else 0,
        "readyReplicas": sum(each.get("readyReplicas", 0) for each in every),
        "availableReplicas": available,
        # Of the pods that ReplicaSets are to have, not of the Deployment's: as in Kubernetes.
        "unavailableReplicas": max(
            0, sum(each["spec"].get("replicas", 1) for each in [*([new] if new else []), *old]) - available
        ),
    }


def _progress(
    deployment: Object, conditions: list[Object], counts: dict[str, int], new: Object | None, now: datetime
) -> None:
    current = find_condition({"status": {"conditions": conditions}}, "Progressing")
    settled = current is not None and current["reason"] == COMPLETE and counts["replicas"] == counts["updatedReplicas"]
    if "progressDeadlineSeconds" not in deployment["spec"] or settled:
        return
    subject = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    if _is_complete(deployment, counts):
        text = f"{subject} has successfully progressed."
        set_condition(conditions, "Progressing", "True", COMPLETE, text, now=now)
    elif _has_moved(deployment, counts):
        text = f"{subject} is progressing."
        set_condition(conditions, "Progressing", "True", "ReplicaSetUpdated", text, now=now, again=True)
    elif current and _is_late(deployment, current, now):
        set_condition(conditions, "Progressing", "False", TIMED_OUT, f"{subject} has timed out progressing.", now=now)


def _is_complete(deployment: Object, counts: dict[str, int]) -> bool:
    desired = deployment["spec"].get("replicas", 1)
    return all(counts[name] == desired for name in ("updatedReplicas", "replicas", "availableReplicas"))


def _has_moved(deployment: Object, counts: dict[str, int]) -> bool:
    before = {name: deployment.get("status", {}).get(name, 0) for name in COUNTS}
    old_now, old_before = (each["replicas"] - each["updatedReplicas"] for each in (counts, before))
    more = any(counts[name] > before[name] for name in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return more or old_now < old_before


def _is_late(deployment: Object, current: Object, now: datetime) -> bool:
    if current["reason"] in {COMPLETE, TIMED_OUT}:
        return False
    updated = datetime.fromisoformat(current["lastUpdateTime"])
    return (now - updated).total_seconds() > float(deployment["spec"]["progressDeadlineSeconds"])


def _failure(conditions: list[Object], replica_sets: list[Object], now: datetime) -> None:
    """ReplicaFailure of the first ReplicaSet that has it, the new one before the old."""
    found = next((each for each in (find_condition(one, "ReplicaFailure") for one in replica_sets) if each), None)
    if found is None:
        conditions[:] = [condition for condition in conditions if condition["type"] != "ReplicaFailure"]
        return
    set_condition(conditions, "ReplicaFailure", found["status"], found["reason"], found["message"], now=now)
