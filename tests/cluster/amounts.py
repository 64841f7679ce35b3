"""Kubernetes' quantities (`250m`, `512Mi`) and its percentages of replicas as numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_SUFFIXES = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(1000),
    "M": Decimal(1000) ** 2,
    "G": Decimal(1000) ** 3,
    "T": Decimal(1000) ** 4,
    "Ki": Decimal(1024),
    "Mi": Decimal(1024) ** 2,
    "Gi": Decimal(1024) ** 3,
    "Ti": Decimal(1024) ** 4,
}


def quantity(text: str | float) -> Decimal:
    """The value in its base unit: cores, bytes, pods."""
    written = str(text)
    number = written.rstrip("mkMGTi")
    return Decimal(number) * _SUFFIXES[written[len(number) :]]


def of_replicas(value: str | int | None, replicas: int, *, round_up: bool) -> int:
    """maxSurge or maxUnavailable as a number of pods; a percentage of the replicas is rounded as Kubernetes does."""
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * replicas / 100
        return math.ceil(exact) if round_up else math.floor(exact)
    return int(value or 0)


def pod_resources(pod: Mapping[str, Any], of: str = "requests") -> dict[str, Decimal]:
    """The sum over a pod's containers of what they request, or of their limits, by resource."""
    total: dict[str, Decimal] = {}
    for container in pod["spec"]["containers"]:
        resources = container.get("resources", {})
        # A limit without a request is the request too.
        named = (
            resources.get("limits", {}) | resources.get("requests", {}) if of == "requests" else resources.get(of, {})
        )
        for resource, value in named.items():
            total[resource] = total.get(resource, Decimal(0)) + quantity(value)
    return total
