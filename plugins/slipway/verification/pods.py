"""The pods of one version: which there are, what their containers went through, how each one is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

_PORT, _CONTAINER = 8080, "server"


@dataclass(frozen=True)
class Pod:
    """A pod that is not being removed.

    Attributes:
        name: in its namespace.
        ready: whether it takes requests.
        restarts: how often its server began anew.
        ended: how its server ended last, e.g. ``OOMKilled, exit code 137``; empty: it did not.
    """

    name: str
    ready: bool = True
    restarts: int = 0
    ended: str = ""


class PodReader(Protocol):
    """Where pods are found and asked."""

    def pods(self) -> list[Pod]:
        """Those there are now. Raises SlipwayError."""

    def opened(self, name: str) -> AbstractContextManager[str]:
        """The base URL of one of them, for as long as it is needed. Raises UnavailableError: it is gone."""


class Lister(Protocol):
    """What of a cluster is needed here."""

    def list(self, kind: str, labels: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Objects with these labels."""


class ClusterPods:
    """Pods of a cluster, each asked through a tunnel of its own.

    Args:
        cluster: a namespace of it.
        labels: that the pods have.
        forward: opens a tunnel, `slipway.cluster.tunnel.forwarded`.
    """

    def __init__(
        self,
        cluster: Lister,
        labels: Mapping[str, str],
        forward: Callable[[Any, str, int], AbstractContextManager[str]],
    ) -> None:
        self._cluster, self._labels, self._forward = cluster, labels, forward

    def pods(self) -> list[Pod]:
        """By name."""
        found = self._cluster.list("Pod", self._labels)
        return sorted((pod_of(each) for each in found if not _is_leaving(each)), key=lambda pod: pod.name)

    def opened(self, name: str) -> AbstractContextManager[str]:
        """A tunnel to the port that the server listens on."""
        return self._forward(self._cluster, name, _PORT)


def pod_of(found: Mapping[str, Any]) -> Pod:
    """From the API's object."""
    status = found.get("status", {})
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())
    servers = [each for each in status.get("containerStatuses") or () if each["name"] == _CONTAINER]
    ended = [
        _ending(state) for each in servers for state in (each.get("state"), each.get("lastState")) if _ending(state)
    ]
    restarts = sum(int(each.get("restartCount", 0)) for each in servers)
    return Pod(found["metadata"]["name"], ready, restarts, ended[0] if ended else "")


def is_ready(pods: PodReader, name: str) -> bool:
    """Whether a pod is still there and takes requests: one that does not answer may just have been removed."""
    return any(pod.name == name and pod.ready for pod in pods.pods())


def number_of_pods(count: int) -> str:
    """In words for a text."""
    return "1 pod" if count == 1 else f"{count} pods"


def _is_leaving(found: Mapping[str, Any]) -> bool:
    """Deleted, evicted or done: it takes no requests, and another one has its place."""
    phase = found.get("status", {}).get("phase")
    return "deletionTimestamp" in found["metadata"] or phase in {"Failed", "Succeeded"}


def _ending(state: Mapping[str, Any] | None) -> str:
    ended = (state or {}).get("terminated")
    return f"{ended.get('reason') or 'ended'}, exit code {ended.get('exitCode', '?')}" if ended else ""
