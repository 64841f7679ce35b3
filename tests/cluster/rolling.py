"""How many pods a Deployment gives its new and its old ReplicaSets next: the arithmetic of Kubernetes' RollingUpdate."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.amounts import of_replicas
from tests.cluster.store import Object


@dataclass(frozen=True)
class Bounds:
    """How many pods there may be, and how many must be available."""

    desired: int
    surge: int
    unavailable: int

    @property
    def most(self) -> int:
        return self.desired + self.surge

    @property
    def least_available(self) -> int:
        return self.desired - self.unavailable


def bounds(deployment: Object) -> Bounds:
    """Of a Deployment. Both limits at 0 would never roll: then one may be unavailable."""
    spec = deployment["spec"]
    desired = spec.get("replicas", 1)
    strategy = spec.get("strategy", {})
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return Bounds(desired, 0, desired)
    rolling = strategy.get("rollingUpdate", {})
    surge = of_replicas(rolling.get("maxSurge", "25%"), desired, round_up=True)
    unavailable = of_replicas(rolling.get("maxUnavailable", "25%"), desired, round_up=False)
    return Bounds(desired, surge, min(max(unavailable, 0 if surge else 1), desired))


def replicas_of(replica_set: Object) -> int:
    return int(replica_set["spec"].get("replicas", 1))


def available_in(replica_set: Object) -> int:
    return int(replica_set.get("status", {}).get("availableReplicas", 0))


def size_of_new(deployment: Object, new: Object | None, old: list[Object]) -> int:
    """The replicas that the new ReplicaSet should have now."""
    limits = bounds(deployment)
    present = replicas_of(new) if new else 0
    if deployment["spec"].get("strategy", {}).get("type") == "Recreate" or present > limits.desired:
        return limits.desired
    room = limits.most - present - sum(map(replicas_of, old))
    return present + max(0, min(room, limits.desired - present))


def sizes_of_old(deployment: Object, new: Object, old: list[Object]) -> list[int]:
    """The replicas that the old ReplicaSets, oldest first, should have now: pods that never became available go first."""
    limits = bounds(deployment)
    unavailable_new = replicas_of(new) - available_in(new)
    total = replicas_of(new) + sum(map(replicas_of, old))
    spare = total - limits.least_available - unavailable_new
    if spare <= 0:
        return [replicas_of(each) for each in old]
    sizes, freed = [], 0
    for each in old:
        unhealthy = min(spare - freed, max(0, replicas_of(each) - available_in(each)))
        sizes.append(replicas_of(each) - unhealthy)
        freed += unhealthy
    spare = sum(map(available_in, [new, *old])) - limits.least_available
    for number, size in enumerate(sizes):
        fewer = max(0, min(size, spare))
        sizes[number] -= fewer
        spare -= fewer
    return sizes
