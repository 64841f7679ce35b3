"""The endpoint of one model in one namespace: observe, do the one step that the strategy wants, observe anew."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slipway.cluster.api import MANAGER, Cluster
from slipway.cluster.applying import Applier, Plan
from slipway.cluster.managed_fields import owns_field
from slipway.core.errors import UnavailableError
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.rollout.kubernetes.manifests import Manifests
from slipway.rollout.kubernetes.names import TARGET, VERSION, VERSION_ID, Track, labels
from slipway.rollout.kubernetes.observation import TRACKS, Observation
from slipway.rollout.kubernetes.strategy import Action, Await, Deploy, Done, Ready, Route, Situation, Skip, Weights
from slipway.rollout.kubernetes.version import ELSEWHERE, Version, parse_record

Goal = Callable[[Situation], Action]
_MOST_STEPS = 20
_LOOK_SECONDS = 0.25
_ENDPOINT_SECONDS = 60
_ROUTE_SECONDS = 30
_SETTLE_SECONDS = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Advance:
    """How far one got: the last action, one of Await, Ready, Done and Skip, and whether anything was changed on the way."""

    action: Action
    changed: bool


@dataclass(frozen=True)
class Serving:
    """What the Service leads to.

    Attributes:
        track: whose pods.
        annotation: its version, as `Version.from_annotation` reads it.
        digest, image: the bundle and the image of that version.
        target: the model file's section that it is served by, as JSON; None: an older Slipway did not say.
    """

    track: Track
    annotation: str
    digest: str
    image: str
    target: str | None


class ClusterEndpoint:
    """Brings versions of one model into service on one cluster.

    Args:
        cluster, model, target: where, whose, and how it is served.
        restores: whether this is the way back. A version that runs is then left as it runs: its pods are not made anew for
            other keys or a changed file, and how many there are is not argued about.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        cluster: Cluster,
        model: str,
        target: KubernetesTarget,
        *,
        restores: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cluster, self._model, self._target = cluster, model, target
        self._restores, self._sleep = restores, sleep
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
        annotations = deployment["metadata"].get("annotations", {})
        annotation = annotations.get(VERSION, "{}")
        told = parse_record(annotation)
        return Serving(track, annotation, told.get("digest", ""), told.get("image", ""), annotations.get(TARGET))

    def version_id(self, version: Version) -> str:
        """What a track that runs this version has as its id: on the way back the one that such a track has."""
        for deployment in filter(None, map(self.observation.deployment, TRACKS)) if self._restores else ():
            if _runs(deployment, version):
                return str(deployment["metadata"]["annotations"][VERSION_ID])
        return self.manifests.version_id(version)

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
        foundation = [self._widened(obj) for obj in self.manifests.foundation(version)]
        return self._apply([*foundation, self._workload(track, version, count)])

    def _widened(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Until the new version serves, the policy also lets in who reaches the old one."""
        live = self._cluster.find(obj["kind"], obj["metadata"]["name"]) if obj["kind"] == "NetworkPolicy" else None
        let_in = [rule["from"] for rule in (live or {}).get("spec", {}).get("ingress", []) if "from" in rule]
        for rule in obj["spec"]["ingress"] if let_in else ():
            rule["from"] += [peer for peers in let_in for peer in peers if peer not in rule["from"]]
        return obj

    def _route(self, weights: Weights) -> bool:
        """Services first: a route's backend must have pods to lead to before the route names it."""
        _log.info("traffic: %s", ", ".join(f"{percent} %% to {track}" for track, percent in weights.items()))
        entry = self.manifests.entry(weights)
        services = [obj for obj in entry if obj["kind"] == "Service"]
        routes = [obj for obj in entry if obj["kind"] != "Service"]
        changed = self._apply(services)
        if routes:
            self._wait_for_endpoints([service["metadata"]["name"] for service in services])
        if routes and changed:
            self._sleep(_SETTLE_SECONDS)  # proxies hear of endpoints a little later than we do
        return self._apply(routes) or changed

    def _wait_for_endpoints(self, services: list[str]) -> None:
        """Usually a moment. Raises UnavailableError: a Service leads to no ready pod in a minute."""
        for service in services:
            deadline = time.monotonic() + _ENDPOINT_SECONDS
            while not self.observation.has_endpoints(service):
                if time.monotonic() > deadline:
                    raise self._no_endpoint(service)
                self._sleep(_LOOK_SECONDS)

    def _no_endpoint(self, service: str) -> UnavailableError:
        return UnavailableError(
            "could not lead traffic to the new version",
            on=self._cluster.on(f"Service/{service}"),
            why=f"no ready pod became an endpoint of it in {_ENDPOINT_SECONDS} s",
            fix="Is the cluster's controller manager well? The previous version serves; the task is tried again.",
        )

    def _finish(self, version: Version, track: Track, *, keep: bool) -> bool:
        workload = self._declared_workload(version, track)
        around = self._around(version, track)
        live = self.observation.deployment(track)
        stays = live is not None and self._is_otherwise_the_same(live, version)
        changed = self._apply(around if stays else [*around, workload])
        if keep:
            return changed
        # What runs on reads the keys that it was started with.
        used = self._cluster.list("ConfigMap", labels(self._model)) if stays else []
        removed = self._prune([*around, workload, *used])
        if removed:
            self._wait_for_ends(track)
        return changed or bool(removed)

    def _wait_for_ends(self, track: Track) -> None:
        """Until the pods of removed Deployments are told to end: those of a canary have had their share of the Service."""
        deadline = time.monotonic() + _ENDPOINT_SECONDS
        while self.observation.other_pods(track) and time.monotonic() < deadline:
            self._sleep(_LOOK_SECONDS)

    def _is_otherwise_the_same(self, live: dict[str, Any], version: Version) -> bool:
        """On the way back: pods of this version that were made with other keys or another file than there is now."""
        made = live["metadata"].get("annotations", {}).get(VERSION_ID)
        return self._restores and _runs(live, version) and made != self.manifests.version_id(version)

    def _prune(self, declared: list[dict[str, Any]]) -> list[str]:
        if self.manifests.weighted and self.observation.deployment("canary"):
            self._let_the_route_settle()
        removed = self._applier.prune(declared)
        for item in removed:
            _log.info("removed %s", item)
        return removed

    def _let_the_route_settle(self) -> None:
        """Gateways learn of a route and of a Service each in its own time: first of the route without the canary."""
        deadline = time.monotonic() + _ROUTE_SECONDS
        while (state := self.observation.route_state()) == "behind" and time.monotonic() < deadline:
            self._sleep(_LOOK_SECONDS)
        if state != "no gateway":
            self._sleep(_SETTLE_SECONDS)

    def _apply(self, objects: list[dict[str, Any]]) -> bool:
        changed = self._applier.apply(objects)
        for item in changed:
            _log.info("applied %s", item)
        return bool(changed)

    def _declared(self, version: Version, track: Track) -> list[dict[str, Any]]:
        """Everything that there is when `version` has all of the traffic on `track`."""
        return [*self._around(version, track), self._declared_workload(version, track)]

    def _around(self, version: Version, track: Track) -> list[dict[str, Any]]:
        autoscaler = self.manifests.autoscaler(track)
        scaled = [autoscaler] if autoscaler else []
        return [*self.manifests.foundation(version), *scaled, *self.manifests.entry({track: 100})]

    def _declared_workload(self, version: Version, track: Track) -> dict[str, Any]:
        return self._workload(track, version, self._replicas(self.observation.deployment(track)))

    def _workload(self, track: Track, version: Version, replicas: int | None) -> dict[str, Any]:
        workload = self.manifests.workload(track, version, replicas)
        workload["metadata"]["annotations"] |= {
            TARGET: self._target.model_dump_json(exclude=set(ELSEWHERE), exclude_defaults=True),
            VERSION_ID: self.version_id(version),
        }
        return workload

    def _replicas(self, live: dict[str, Any] | None) -> int | None:
        """How many pods to declare; None: the autoscaler has taken that over.

        A field that only we own is removed, and so set to 1, if we no longer declare it: until the autoscaler has set it once,
        it stays as it is.
        """
        autoscale, least = self._target.autoscale, self._target.replicas
        if live is None:
            return least
        if not owns_field(live, MANAGER, ("spec", "replicas")):
            return None if autoscale or self._restores else least
        if autoscale is None:
            return least
        return min(max(int(live["spec"].get("replicas", 1)), least), autoscale.maximum)


def _runs(deployment: dict[str, Any], version: Version) -> bool:
    return bool(deployment["metadata"].get("annotations", {}).get(VERSION) == version.annotation())
