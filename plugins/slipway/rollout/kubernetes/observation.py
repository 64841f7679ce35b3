"""Reading from the cluster what a step is decided from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from slipway.cluster.api import Cluster
from slipway.cluster.labels import MODEL, TRACK, TRAFFIC
from slipway.rollout.kubernetes.judgement.progress import Complete, Failed, Observed, Verdict, explain_timeout, judge
from slipway.rollout.kubernetes.names import VERSION_ID, Track, deployment_name, object_name, track_labels
from slipway.rollout.kubernetes.strategy import Situation, TrackState, Weights

TRACKS: tuple[Track, ...] = ("main", "canary", "blue", "green")


class Observation:
    """Looks at the objects of one model in one namespace; changes nothing."""

    def __init__(self, cluster: Cluster, model: str) -> None:
        self._cluster, self._model, self._name = cluster, model, object_name(model)

    def track(self, track: Track) -> Observed:
        """The track's Deployment with its ReplicaSets, pods and their events."""
        labels = track_labels(self._model, track)
        deployment = self.deployment(track)
        replica_sets, pods = self._cluster.list("ReplicaSet", labels), self._cluster.list("Pod", labels)
        names = {_name(item) for item in (deployment, *replica_sets, *pods) if item}
        events = [event for event in self._cluster.list("Event") if event["involvedObject"].get("name") in names]
        return Observed(deployment, replica_sets, pods, events)

    def verdict(self, track: Track, version_id: str) -> Verdict:
        """How far the rollout of that version on this track is."""
        return judge(self.track(track), version_id=version_id, now=datetime.now(UTC))

    def explain_timeout(self, track: Track, version_id: str, waited_seconds: float) -> Complete | Failed:
        """The likeliest cause of a rollout that takes too long."""
        now = datetime.now(UTC)
        return explain_timeout(self.track(track), version_id=version_id, now=now, waited_seconds=waited_seconds)

    def deployment(self, track: Track) -> dict[str, Any] | None:
        """The track's Deployment, or None."""
        return self._cluster.find("Deployment", deployment_name(self._model, track))

    def situation(self, *, weighted: bool, needs_address: bool) -> Situation:
        """Everything that the strategy wants to know.

        Args:
            weighted: whether an HTTPRoute splits the traffic.
            needs_address: whether the Service gets its address from the cloud.
        """
        service = self._cluster.find("Service", self._name)
        found = {track: self.deployment(track) for track in TRACKS}
        tracks = {track: self._state(track, deployment) for track, deployment in found.items() if deployment}
        where = _address_state(service) if needs_address else "there"
        return Situation(tracks, self._weights(service, weighted=weighted), where)

    def serving_pods(self) -> int:
        """How many pods the Service leads to."""
        service = self._cluster.find("Service", self._name)
        pods = self._cluster.list("Pod", service["spec"]["selector"]) if service else []
        return sum(map(is_ready, pods))

    def other_pods(self, track: Track) -> int:
        """How many pods of the model's other tracks are not told to end yet."""
        pods = self._cluster.list("Pod", {MODEL: self._model})
        others = set(TRACKS) - {track}
        return sum(
            pod["metadata"].get("labels", {}).get(TRACK) in others and "deletionTimestamp" not in pod["metadata"]
            for pod in pods
        )

    def has_endpoints(self, service: str) -> bool:
        """Whether a Service leads to a pod that is ready."""
        slices = self._cluster.list("EndpointSlice", {"kubernetes.io/service-name": service})
        endpoints = [endpoint for each in slices for endpoint in each.get("endpoints") or []]
        return any(endpoint.get("conditions", {}).get("ready", True) for endpoint in endpoints)

    def route_state(self) -> Literal["no gateway", "behind", "up to date"]:
        """Whether the gateways have seen the HTTPRoute as it is."""
        route = self._cluster.find("HTTPRoute", self._name) or {}
        parents = route.get("status", {}).get("parents") or []
        seen = [one.get("observedGeneration", 0) for parent in parents for one in parent.get("conditions") or []]
        if not seen:
            return "no gateway"
        return "up to date" if min(seen) >= route["metadata"].get("generation", 0) else "behind"

    def address(self) -> str | None:
        """The address that the cloud gave the Service, or None yet."""
        return address(self._cluster.find("Service", self._name))

    def _state(self, track: Track, deployment: dict[str, Any]) -> TrackState:
        version_id = str(deployment["metadata"].get("annotations", {}).get(VERSION_ID, ""))
        complete = isinstance(self.verdict(track, version_id), Complete)
        status, replicas = deployment.get("status", {}), int(deployment["spec"].get("replicas", 1))
        # Available pods are counted over all versions: only where no other is left do we know whose they are.
        alone = status.get("replicas", 0) == status.get("updatedReplicas", 0)
        return TrackState(version_id, replicas, status.get("availableReplicas", 0) if alone else 0, complete)

    def _weights(self, service: dict[str, Any] | None, *, weighted: bool) -> Weights:
        serving = service and service["spec"].get("selector", {}).get(TRAFFIC)
        if not serving:
            return {}
        route = self._cluster.find("HTTPRoute", self._name) if weighted else None
        known: dict[str, Track] = {self._name: serving, f"{self._name}-canary": "canary"}
        shares = {known[backend]: share for backend, share in _shares(route).items() if backend in known and share}
        # Without our route, or with one that leads elsewhere, the Service is what users inside the cluster have.
        return shares if serving in shares else {serving: 100}


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is sent traffic."""
    conditions = pod.get("status", {}).get("conditions") or []
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def address(service: Mapping[str, Any] | None) -> str | None:
    """The IP address or host name of a load balancer, or None."""
    given: list[dict[str, str]] = (service or {}).get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    return given[0].get("ip") or given[0].get("hostname")


def _address_state(service: Mapping[str, Any] | None) -> Literal["there", "asked for", "not asked for"]:
    if service is None or service["spec"].get("type") != "LoadBalancer":
        return "not asked for"
    return "there" if address(service) else "asked for"


def _shares(route: Mapping[str, Any] | None) -> dict[str, int]:
    """Percent by backend, over all rules; weights default to 1, as the Gateway API says."""
    rules = route["spec"].get("rules", []) if route else []
    weights: Counter[str] = Counter()
    for backend in (backend for rule in rules for backend in rule.get("backendRefs", [])):
        weights[backend["name"]] += backend.get("weight", 1)
    total = weights.total() or 1
    return {name: round(100 * weight / total) for name, weight in weights.items()}


def _name(item: Mapping[str, Any]) -> str:
    return str(item["metadata"]["name"])
