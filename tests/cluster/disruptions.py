"""The eviction subresource of pods: a deletion that a PodDisruptionBudget may forbid."""

from __future__ import annotations

import math
from typing import Any

from tests.cluster.selectors import matches
from tests.cluster.status import StatusError
from tests.cluster.store import Store

Object = dict[str, Any]


def check_eviction(store: Store, pod: Object) -> None:
    """Raises StatusError 429 where fewer pods than a budget wants would be left."""
    namespace, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels") or {}
    for budget in store.list("PodDisruptionBudget", namespace):
        if not matches(budget["spec"].get("selector"), labels):
            continue
        pods = [
            one
            for one in store.list("Pod", namespace)
            if matches(budget["spec"]["selector"], one["metadata"].get("labels") or {})
        ]
        healthy, wanted = sum(map(_is_healthy, pods)), _wanted(budget["spec"], len(pods))
        if _is_healthy(pod) and healthy - 1 < wanted:
            name = budget["metadata"]["name"]
            why = f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently"
            cause = {"reason": "DisruptionBudget", "message": why}
            text = "Cannot evict pod as it would violate the pod's disruption budget."
            raise StatusError(429, text, details={"causes": [cause]})


def _is_healthy(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _wanted(spec: Object, expected: int) -> int:
    if "minAvailable" in spec:
        return _share(spec["minAvailable"], expected)
    return expected - _share(spec.get("maxUnavailable", 1), expected)


def _share(amount: int | str, whole: int) -> int:
    return (
        math.ceil(whole * int(amount[:-1]) / 100) if isinstance(amount, str) and amount.endswith("%") else int(amount)
    )
