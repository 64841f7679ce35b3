"""Reading from the cluster what a step is decided from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from slipway.cluster.api import Cluster
from slipway.cluster.labels import TRAFFIC
from slipway.rollout.kubernetes.names import VERSION_ID, Track, deployment_name, object_name, track_labels
from slipway.rollout.kubernetes.progress import Complete, Failed, Observed, Verdict, explain_timeout, judge
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
        return Situation(tracks, self._weights(service, weighted=weighted), not needs_address or bool(address(service)))

    def serving_pods(self) -> int:
        """How many pods the Service leads to."""
        service = self._cluster.find("Service", self._name)
        pods = self._cluster.list("Pod", service["spec"]["selector"]) if service else []
        return sum(map(is_ready, pods))

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
        if not weighted:
            return {serving: 100}
        route = self._cluster.find("HTTPRoute", self._name)
        shares = _shares(route) if route else {}
        known: dict[str, Track] = {self._name: serving, f"{self._name}-canary": "canary"}
        return {known[backend]: share for backend, share in shares.items() if backend in known and share}


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is sent traffic."""
    conditions = pod.get("status", {}).get("conditions") or []
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def address(service: Mapping[str, Any] | None) -> str | None:
    """The IP address or host name of a load balancer, or None."""
    given: list[dict[str, str]] = (service or {}).get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    return given[0].get("ip") or given[0].get("hostname")


def _shares(route: Mapping[str, Any]) -> dict[str, int]:
    """Percent by backend; weights default to 1, as the Gateway API says."""
    backends = [backend for rule in route["spec"].get("rules", []) for backend in rule.get("backendRefs", [])]
    total = sum(backend.get("weight", 1) for backend in backends) or 1
    return {backend["name"]: round(100 * backend.get("weight", 1) / total) for backend in backends}


def _name(item: Mapping[str, Any]) -> str:
    return str(item["metadata"]["name"])
