"""The endpoint of one model in one namespace: observe, do the one step that the strategy wants, observe anew."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slipway.cluster.api import Cluster
from slipway.cluster.applying import Applier, Plan
from slipway.cluster.managed_fields import owns_field
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.rollout.kubernetes.manifests import Manifests
from slipway.rollout.kubernetes.names import VERSION, Track, labels
from slipway.rollout.kubernetes.observation import Observation
from slipway.rollout.kubernetes.strategy import Action, Await, Deploy, Done, Ready, Route, Situation, Skip, Weights
from slipway.rollout.kubernetes.version import Version

Goal = Callable[[Situation], Action]
_MANAGER = "slipway"
_MOST_STEPS = 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Advance:
    """How far one got: the last action, one of Await, Ready, Done and Skip, and whether anything was changed on the way."""

    action: Action
    changed: bool


@dataclass(frozen=True)
class Serving:
    """What the Service leads to: the track, its version as its annotation tells it, and of that the bundle and the image."""

    track: Track
    annotation: str
    digest: str
    image: str


class ClusterEndpoint:
    """Brings versions of one model into service on one cluster."""

    def __init__(self, cluster: Cluster, model: str, target: KubernetesTarget) -> None:
        self._cluster, self._target = cluster, target
        self.manifests = Manifests(model, target)
        self.observation = Observation(cluster, model)
        self._applier = Applier(cluster, labels(model), force=target.force_conflicts)

    def situation(self) -> Situation:
        """What is there now."""
        balanced = self._target.expose is not None and self._target.expose.load_balancer is not None
        return self.observation.situation(weighted=self.manifests.weighted, needs_address=balanced)

    def find_serving(self) -> Serving | None:
        """What has the traffic, whoever brought it there; None: nothing of ours."""
        track = self.situation().serving
        deployment = self.observation.deployment(track) if track else None
        if track is None or deployment is None:
            return None
        annotation = deployment["metadata"].get("annotations", {}).get(VERSION, "{}")
        told = json.loads(annotation)
        return Serving(track, annotation, told.get("digest", ""), told.get("image", ""))

    def plan(self, version: Version, home: Track) -> Plan:
        """What a rollout would change in the end; the cluster itself is asked, which changes nothing."""
        return self._applier.plan(self._declared(version, home))

    def advance(self, goal: Goal, version: Version) -> Advance:
        """Do one step after the other until there is something to wait for, or nothing more to do.

        Raises:
            ConfigurationError: the cluster finds an object wrong, or somebody else keeps one of its fields.
            RejectedError, DeniedError, AbsentError, UnavailableError: as `Cluster` raises them.
        """
        changed = False
        for _ in range(_MOST_STEPS):
            action = goal(self.situation())
            _log.info("next: %s", action)
            match action:
                case Deploy(track, replicas):
                    changed |= self._deploy(version, track, replicas)
                case Route(weights):
                    changed |= self._route(weights)
                case Done(track, keep):
                    return Advance(action, self._finish(version, track, keep=keep) or changed)
                case Await() | Ready() | Skip():
                    return Advance(action, changed)
        raise AssertionError(f"no end after {_MOST_STEPS} steps")

    def stop(self) -> bool:
        """Remove every object of this model; returns whether there was one."""
        return bool(self._applier.prune([]))

    def address(self) -> str:
        """Where users ask: a URL."""
        given = self.observation.address()
        if self._target.expose is None or self._target.expose.load_balancer is None or given is None:
            return self.manifests.endpoint()
        port, host = self._target.expose.load_balancer.port, f"[{given}]" if ":" in given else given
        return f"http://{host}" if port == 80 else f"http://{host}:{port}"

    def _deploy(self, version: Version, track: Track, replicas: int | None) -> bool:
        live = self.observation.deployment(track)
        count = replicas if replicas is not None else self._replicas(live)
        if live is not None and count is not None and replicas is None:
            count = max(count, live["spec"].get("replicas", 1))  # fewer only once the new version is ready: `_finish`
        workload = self.manifests.workload(track, version, count)
        return self._apply([*self.manifests.foundation(version), workload])

    def _route(self, weights: Weights) -> bool:
        _log.info("traffic: %s", ", ".join(f"{percent} %% to {track}" for track, percent in weights.items()))
        return self._apply(self.manifests.entry(weights))

    def _finish(self, version: Version, track: Track, *, keep: bool) -> bool:
        declared = self._declared(version, track)
        changed = self._apply(declared)
        removed = [] if keep else self._applier.prune(declared)
        for item in removed:
            _log.info("removed %s", item)
        return changed or bool(removed)

    def _apply(self, objects: list[dict[str, Any]]) -> bool:
        changed = self._applier.apply(objects)
        for item in changed:
            _log.info("applied %s", item)
        return bool(changed)

    def _declared(self, version: Version, track: Track) -> list[dict[str, Any]]:
        """Everything that there is when `version` has all of the traffic on `track`."""
        workload = self.manifests.workload(track, version, self._replicas(self.observation.deployment(track)))
        autoscaler = self.manifests.autoscaler(track)
        scaled = [autoscaler] if autoscaler else []
        return [*self.manifests.foundation(version), workload, *scaled, *self.manifests.entry({track: 100})]

    def _replicas(self, live: dict[str, Any] | None) -> int | None:
        """How many pods to declare; None: the autoscaler has taken that over.

        A field that only we own is removed, and so set to 1, if we no longer declare it: until the autoscaler has set it once,
        it stays as it is.
        """
        autoscale, least = self._target.autoscale, self._target.replicas
        if autoscale is None or live is None:
            return least
        if not owns_field(live, _MANAGER, ("spec", "replicas")):
            return None
        return min(max(int(live["spec"].get("replicas", 1)), least), autoscale.maximum)
