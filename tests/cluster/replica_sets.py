"""The ReplicaSet controller: as many pods as a ReplicaSet says, and what it reports where they are refused."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.cluster.deployments import LETTERS, MANAGER
from tests.cluster.events import Recorder
from tests.cluster.owners import find_condition, is_active, is_ending, is_true, owned, owner_reference
from tests.cluster.status import StatusError
from tests.cluster.store import Object, Store

Admit = Callable[[Object], None]


def admit_all(_: Object) -> None:
    """Refuses nothing; what the store's own admission refuses is refused all the same."""


class ReplicaSets:
    """Brings every ReplicaSet to its number of pods, each time `sync` is called.

    Args:
        admit: raises StatusError, whose text is the API's, for a pod that may not be made (quota, PodSecurity, webhook).
        backoff_seconds: after a refusal; doubled by each further one, up to `longest_backoff_seconds`.
    """

    def __init__(
        self,
        store: Store,
        admit: Admit = admit_all,
        *,
        backoff_seconds: float = 0.05,
        longest_backoff_seconds: float = 2,
    ) -> None:
        self._store = store
        self._events = Recorder(store, "replicaset-controller")
        self._admit = admit
        self._backoff_seconds = backoff_seconds
        self._longest_seconds = longest_backoff_seconds
        self._refused: dict[str, tuple[int, datetime, StatusError]] = {}

    def sync(self) -> None:
        for replica_set in self._store.list("ReplicaSet"):
            if not is_ending(replica_set):
                self._sync(replica_set)

    def _sync(self, replica_set: Object) -> None:
        pods = [pod for pod in owned(self._store, "Pod", replica_set) if is_active(pod)]
        difference = replica_set["spec"].get("replicas", 1) - len(pods)
        refusal = self._grow(replica_set, difference) if difference > 0 else None
        if difference < 0:
            self._shrink(replica_set, pods, -difference)
        if difference:
            pods = [pod for pod in owned(self._store, "Pod", replica_set) if is_active(pod)]
        status = _status(replica_set, pods, refusal, self._store.clock())
        if replica_set.get("status") != status:
            self._store.put(replica_set | {"status": status}, subresource="status", manager=MANAGER)

    def _grow(self, replica_set: Object, number: int) -> StatusError | None:
        """Make pods until one is refused; that is tried again after a while only."""
        uid, now = replica_set["metadata"]["uid"], self._store.clock()
        attempts, until, refusal = self._refused.get(uid, (0, now, None))
        if refusal is not None and now < until:
            return refusal
        for _ in range(number):
            try:
                self._create(replica_set)
            except StatusError as error:
                seconds = min(self._longest_seconds, self._backoff_seconds * 2**attempts)
                self._refused[uid] = (attempts + 1, now + timedelta(seconds=seconds), error)
                self._events.record(replica_set, "FailedCreate", f"Error creating: {error}", warning=True)
                return error
        self._refused.pop(uid, None)
        return None

    def _create(self, replica_set: Object) -> None:
        pod = pod_of(replica_set, replica_set["spec"]["template"])
        self._admit(copy.deepcopy(pod))
        name = self._store.create(pod, manager=MANAGER)["metadata"]["name"]
        self._events.record(replica_set, "SuccessfulCreate", f"Created pod: {name}")

    def _shrink(self, replica_set: Object, pods: list[Object], number: int) -> None:
        for pod in sorted(pods, key=_worth)[:number]:
            meta = pod["metadata"]
            self._store.delete("Pod", meta["namespace"], meta["name"], uid=meta["uid"])
            self._events.record(replica_set, "SuccessfulDelete", f"Deleted pod: {meta['name']}")


def pod_of(owner: Object, template: Object) -> Object:
    """A pod as a controller makes it of a template."""
    meta = copy.deepcopy(template.get("metadata", {}))
    kept = {key: meta[key] for key in ("labels", "annotations") if meta.get(key)}
    prefix = f"{owner['metadata']['name']}-"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": prefix + "".join(secrets.choice(LETTERS) for _ in range(5)),
            "generateName": prefix,
            "namespace": owner["metadata"]["namespace"],
            **kept,
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": copy.deepcopy(template["spec"]),
    }


def _worth(pod: Object) -> tuple[bool, int, bool, int]:
    """Whom to end first: without a node, then pending, then not ready, then the newest."""
    phase = pod.get("status", {}).get("phase", "Pending")
    rank = {"Pending": 0, "Unknown": 1}.get(phase, 2)
    return bool(pod["spec"].get("nodeName")), rank, is_true(pod, "Ready"), -_age(pod)


def _age(pod: Object) -> int:
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    return int(created.timestamp())


def _is_available(pod: Object, seconds: int, now: datetime) -> bool:
    condition = find_condition(pod, "Ready")
    if condition is None or condition["status"] != "True":
        return False
    since = datetime.fromisoformat(condition["lastTransitionTime"])
    return not seconds or (now - since).total_seconds() >= seconds


def _status(replica_set: Object, pods: list[Object], refusal: StatusError | None, now: datetime) -> Object:
    spec = replica_set["spec"]
    labels = spec["template"].get("metadata", {}).get("labels", {}).items()
    available = sum(_is_available(pod, spec.get("minReadySeconds", 0), now) for pod in pods)
    counts = {
        "fullyLabeledReplicas": sum(labels <= pod["metadata"].get("labels", {}).items() for pod in pods),
        "readyReplicas": sum(is_true(pod, "Ready") for pod in pods),
        "availableReplicas": available,
    }
    status = {"replicas": len(pods)} | {name: number for name, number in counts.items() if number}
    status["observedGeneration"] = replica_set["metadata"].get("generation", 1)
    if refusal is not None:
        status["conditions"] = [find_condition(replica_set, "ReplicaFailure") or _failed(refusal, now)]
    return status


def _failed(refusal: StatusError, now: datetime) -> Object:
    return {
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "FailedCreate",
        "message": str(refusal),
    }
