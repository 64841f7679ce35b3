"""The HorizontalPodAutoscaler's controller without metrics: it keeps to the limits, and scales when a test says so."""

from __future__ import annotations

from tests.cluster.deployments import MANAGER
from tests.cluster.owners import is_ending
from tests.cluster.store import Object, Store

_CALCULATED = (
    "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)"
)


def scale(store: Store, namespace: str, name: str, replicas: int) -> None:
    """Give a Deployment that many replicas, as an autoscaler does: it then owns that field."""

    def change(deployment: Object) -> None:
        deployment["spec"]["replicas"] = replicas

    store.update("Deployment", namespace, name, change, subresource="scale", manager=MANAGER)


class Autoscalers:
    """Raises a Deployment to the minimum and lowers it to the maximum of its autoscaler, each time `sync` is called."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sync(self) -> None:
        for autoscaler in self._store.list("HorizontalPodAutoscaler"):
            if not is_ending(autoscaler):
                self._sync(autoscaler)

    def _sync(self, autoscaler: Object) -> None:
        meta, spec = autoscaler["metadata"], autoscaler["spec"]
        target = self._store.find("Deployment", meta["namespace"], spec["scaleTargetRef"]["name"])
        status = _without_target(spec["scaleTargetRef"]["name"]) if target is None else self._scaled(meta, spec, target)
        before = autoscaler.get("status", {})
        known = {condition["type"]: condition for condition in before.get("conditions", [])}
        for condition in status["conditions"]:
            same = known.get(condition["type"], {}).get("status") == condition["status"]
            since = known[condition["type"]]["lastTransitionTime"] if same else self._store.now()
            condition["lastTransitionTime"] = since
        if before != status:
            self._store.put(autoscaler | {"status": status}, subresource="status", manager=MANAGER)

    def _scaled(self, meta: Object, spec: Object, target: Object) -> Object:
        current = target["spec"].get("replicas", 1)
        desired = min(max(current, spec.get("minReplicas", 1)), spec["maxReplicas"]) if current else 0
        if desired != current:
            scale(self._store, meta["namespace"], target["metadata"]["name"], desired)
        counts = {"currentReplicas": target.get("status", {}).get("replicas", 0), "desiredReplicas": desired}
        if not current:
            text = "scaling is disabled since the replica count of the target is zero"
            return counts | {"conditions": [_condition("ScalingActive", "False", "ScalingDisabled", text)]}
        able = _condition("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size")
        active = _condition("ScalingActive", "True", "ValidMetricFound", _CALCULATED)
        text = "the desired count is within the acceptable range"
        return counts | {
            "conditions": [able, active, _condition("ScalingLimited", "False", "DesiredWithinRange", text)]
        }


def _without_target(name: str) -> Object:
    text = f'the HPA controller was unable to get the target\'s current scale: deployments.apps "{name}" not found'
    return {
        "currentReplicas": 0,
        "desiredReplicas": 0,
        "conditions": [_condition("AbleToScale", "False", "FailedGetScale", text)],
    }


def _condition(type_: str, status: str, reason: str, message: str) -> Object:
    return {"type": type_, "status": status, "reason": reason, "message": message}
