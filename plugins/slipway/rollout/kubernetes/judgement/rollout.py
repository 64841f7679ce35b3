"""A Deployment's rollout as its objects tell of it: what is wanted, which ReplicaSet is the new one, which pods are whose."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from slipway.cluster.api import MANAGER
from slipway.rollout.kubernetes.judgement.api_object import (
    Json,
    condition,
    field,
    find_number,
    find_time,
    number,
    objects,
    owner_uids,
    text,
)
from slipway.rollout.kubernetes.judgement.pod import Pod
from slipway.rollout.kubernetes.names import VERSION_ID

_REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True)
class Observed:
    """The objects to judge, as the API's JSON gives them.

    The Deployment is None where there is none. ReplicaSets, pods and events that are not its own are ignored; they may be
    in any order.
    """

    deployment: Json | None
    replica_sets: Sequence[Json] = ()
    pods: Sequence[Json] = ()
    events: Sequence[Json] = ()


class Rollout:
    """What `Observed` says of the rollout of one Deployment that exists."""

    def __init__(self, observed: Observed) -> None:
        self.deployment: Json = observed.deployment or {}
        self._replica_sets = _in_order(observed.replica_sets)
        self._pods = [Pod(obj) for obj in _in_order(observed.pods)]
        self.events = _in_order(observed.events)

    @property
    def version_id(self) -> str:
        """The version that the Deployment declares."""
        return text(self.deployment, "metadata", "annotations", VERSION_ID)

    @property
    def is_seen(self) -> bool:
        """Whether the status is of the present specification, not of an earlier one."""
        wanted = find_number(self.deployment, "metadata", "generation")
        seen = find_number(self.deployment, "status", "observedGeneration")
        return wanted is not None and seen is not None and seen >= wanted

    @property
    def is_deleted(self) -> bool:
        """Whether the Deployment is being deleted."""
        return field(self.deployment, "metadata", "deletionTimestamp") is not None

    @property
    def is_paused(self) -> bool:
        """Whether somebody paused the Deployment."""
        return field(self.deployment, "spec", "paused") is True

    @property
    def wanted(self) -> int:
        """How many pods there shall be."""
        return number(self.deployment, "spec", "replicas", default=1)

    @property
    def is_complete(self) -> bool:
        """Whether every wanted pod of the new version is available and no other pod is left."""
        updated = self._count("updatedReplicas")
        by_status = (
            self.wanted > 0
            and updated == self._count("replicas") == self._count("availableReplicas") == self.wanted
            and not self._count("unavailableReplicas")
        )
        return by_status and self._pods_agree

    @property
    def ready(self) -> int:
        """How many pods of the new version are ready."""
        if self.new_pods:
            return sum(pod.is_ready for pod in self.new_pods)
        return min(number(self.new_replica_set, "status", "readyReplicas"), self.wanted)

    @property
    def old(self) -> int:
        """How many pods of other versions are left."""
        return max(self._count("replicas") - self._count("updatedReplicas"), len(self._old_pods))

    @cached_property
    def started(self) -> datetime | None:
        """When Slipway last changed the Deployment, or None where its managed fields do not tell."""
        ours = [
            find_time(entry, "time")
            for entry in objects(self.deployment, "metadata", "managedFields")
            if (text(entry, "manager"), text(entry, "operation")) == (MANAGER, "Apply")
            and not text(entry, "subresource")
        ]
        return max((time for time in ours if time), default=None)

    @cached_property
    def new_replica_set(self) -> Json | None:
        """The ReplicaSet of the Deployment's own revision, or None while there is none."""
        revision = _revision(self.deployment)
        owned = [item for item in self._owned if revision in {None, _revision(item)}]
        return max(owned, key=lambda item: _revision(item) or 0, default=None)

    @cached_property
    def old_replica_sets(self) -> list[Json]:
        """The Deployment's other ReplicaSets."""
        return [item for item in self._owned if item is not self.new_replica_set]

    @cached_property
    def all_new_pods(self) -> list[Pod]:
        """The new ReplicaSet's pods, also those that ended or are being deleted; oldest first."""
        return self._owned_by([self.new_replica_set] if self.new_replica_set else [])

    @cached_property
    def new_pods(self) -> list[Pod]:
        """The new ReplicaSet's pods that count."""
        return [pod for pod in self.all_new_pods if pod.is_active]

    @property
    def has_ending_pods(self) -> bool:
        """Whether pods of the Deployment are being deleted, which hold their part of a quota until they are gone."""
        return any(pod.is_deleted for pod in self.all_new_pods + self._owned_by(self.old_replica_sets))

    def condition(self, kind: str) -> Json:
        """A condition of the Deployment, or an empty object."""
        return condition(self.deployment, kind)

    @cached_property
    def _owned(self) -> list[Json]:
        uid = text(self.deployment, "metadata", "uid")
        return [item for item in self._replica_sets if uid and uid in owner_uids(item)]

    @cached_property
    def _old_pods(self) -> list[Pod]:
        return [pod for pod in self._owned_by(self.old_replica_sets) if pod.is_active]

    @property
    def _pods_agree(self) -> bool:
        """Whether the pods, which were read after the Deployment, still are what its status counts."""
        if self._replica_sets and self.new_replica_set is None:
            return False
        enough = not self.all_new_pods or sum(pod.is_ready for pod in self.new_pods) >= self.wanted
        return enough and all(pod.is_ready for pod in self.new_pods) and not self._old_pods

    def _owned_by(self, replica_sets: Iterable[Json]) -> list[Pod]:
        uids = {uid for item in replica_sets if (uid := text(item, "metadata", "uid"))}
        return [pod for pod in self._pods if uids & owner_uids(pod.obj)]

    def _count(self, name: str) -> int:
        return number(self.deployment, "status", name)


def _revision(obj: Json | None) -> int | None:
    digits = text(obj, "metadata", "annotations", _REVISION)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None


def _in_order(objs: Iterable[Json]) -> list[Json]:
    """In an order of their own, oldest first, so that a judgement does not hang on the order in which they were listed."""
    return sorted(objs, key=lambda obj: (text(obj, "metadata", "creationTimestamp"), json.dumps(obj, sort_keys=True)))
