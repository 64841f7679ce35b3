"""Whether a cluster takes a pod's sizes as they are: some refuse large ones, or raise small ones to a least."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.system.kubernetes.place import Place
from tests.system.kubernetes.pod import restricted_pod

_LABELS = {"app": "probe"}


def require_limits(place: Place, image: str, **sizes: str) -> None:
    """Skip where a pod, or one of a Deployment, would not get these as requests and limits; a dry run asks.

    Args:
        sizes: ``cpu`` or ``memory``.
    """
    from kubernetes.client.exceptions import ApiException

    wanted = {"cpu": "100m", "memory": "256Mi"} | sizes
    pod = restricted_pod("probe", {"image": image, "resources": {"requests": dict(wanted), "limits": dict(wanted)}})
    try:
        found = [_made(place, pod), _made_by_deployment(place, pod)]
    except ApiException as error:
        pytest.skip(f"this cluster refuses a pod with {sizes}: {error.body}")
    for made in found:
        got = [_amounts(made.requests, sizes), _amounts(made.limits, sizes)]
        if got != [_amounts(wanted, sizes)] * 2:
            pytest.skip(f"this cluster makes of a pod with {sizes} one with {made.requests} and limits {made.limits}")


def _made(place: Place, pod: dict[str, Any]) -> Any:
    made = place.core.create_namespaced_pod(place.namespace, pod, dry_run="All")
    return made.spec.containers[0].resources


def _made_by_deployment(place: Place, pod: dict[str, Any]) -> Any:
    from kubernetes.client import AppsV1Api

    spec = {key: value for key, value in pod["spec"].items() if key != "restartPolicy"}
    body = {
        "metadata": {"name": "probe"},
        "spec": {"selector": {"matchLabels": _LABELS}, "template": {"metadata": {"labels": _LABELS}, "spec": spec}},
    }
    made = AppsV1Api(place.client).create_namespaced_deployment(place.namespace, body, dry_run="All")
    return made.spec.template.spec.containers[0].resources


def _amounts(given: dict[str, str] | None, sizes: dict[str, str]) -> list[Decimal]:
    """A cluster may write 1 for 1000m."""
    from kubernetes.utils.quantity import parse_quantity

    return [parse_quantity((given or {}).get(name, "0")) for name in sorted(sizes)]
