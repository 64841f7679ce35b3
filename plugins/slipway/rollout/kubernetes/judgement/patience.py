"""How long what may still mend itself is waited for, before it is called a failure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Patience:
    """Seconds for each state that a healthy rollout may pass through.

    Args:
        unready_seconds: a container that runs, after what its startup probe allows, without being ready.
        unschedulable_seconds: a pod without a node. An autoscaler announces a new node within this time.
        scale_up_seconds: the same, once an autoscaler has announced a node.
        refused_seconds: pods that may not be created for a cause that may pass (quota, a webhook that does not answer).
        pull_seconds: an image that cannot be pulled for a cause that may pass (time-outs, rate limits, a registry's 5xx).
        node_seconds: a node that does not get a pod's volumes or network ready.
    """

    unready_seconds: float = 180
    unschedulable_seconds: float = 30
    scale_up_seconds: float = 300
    refused_seconds: float = 30
    pull_seconds: float = 60
    node_seconds: float = 60


NONE = Patience(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Clock:
    """When we judge, since when this rollout runs (None: not known), and how patient we are."""

    now: datetime
    since: datetime | None
    patience: Patience

    def lasted(self, start: datetime | None, seconds: float) -> bool:
        """Whether something that began at `start` has lasted that long; what has no beginning has just begun."""
        return self.seconds_since(start) >= seconds

    def seconds_since(self, start: datetime | None) -> float:
        """Seconds since then, at least 0: a cluster's clock may be ahead of ours."""
        return max(0.0, (self.now - start).total_seconds()) if start else 0.0

    def is_of_this_rollout(self, time: datetime | None) -> bool:
        """Whether something that happened at `time` belongs to this rollout rather than to an earlier one."""
        return self.since is None or (time is not None and time >= self.since)
