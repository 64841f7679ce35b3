"""What pods ask for, and shares of replicas, as numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.cluster.quantities import parse


def of_replicas(value: str | int | None, replicas: int, *, round_up: bool) -> int:
    """maxSurge or maxUnavailable as a number of pods; a percentage of the replicas is rounded as Kubernetes does."""
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * replicas / 100
        return math.ceil(exact) if round_up else math.floor(exact)
    return int(value or 0)


def pod_requests(pod: Mapping[str, Any]) -> dict[str, Decimal]:
    """The sum over a pod's containers of what they request, by resource; a limit without a request is the request."""
    total: dict[str, Decimal] = {}
    for container in pod["spec"]["containers"]:
        resources = container.get("resources", {})
        for resource, value in (resources.get("limits", {}) | resources.get("requests", {})).items():
            total[resource] = total.get(resource, Decimal(0)) + parse(value)
    return total
