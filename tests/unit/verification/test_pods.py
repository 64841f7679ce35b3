"""Pods as the API gives them, and which of them a Service's users reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from slipway.cluster.labels import TRAFFIC
from slipway.core.errors import AbsentError, ConfigurationError
from slipway.verification.pods import ClusterPods, Pod, pod_of
from slipway.verification.service import get_selector

READY = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]


def pod(name: str, *, containers: list[dict[str, Any]] | None = None, **status: Any) -> dict[str, Any]:
    """As the API gives it, with what matters here."""
    status = {"phase": "Running", "conditions": READY, "containerStatuses": containers or []} | status
    return {"metadata": {"name": name, "labels": {}}, "status": status}


def server(restarts: int = 0, **states: Any) -> dict[str, Any]:
    return {"name": "server", "restartCount": restarts, **states}


class Namespace:
    """A cluster's list of pods."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.given, self.asked = list(pods), list[tuple[str, Any]]()

    def list(self, kind: str, labels: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        self.asked.append((kind, labels))
        return self.given


@contextmanager
def tunnel(cluster: Any, name: str, port: int) -> Iterator[str]:
    yield f"http://{name}:{port}/{len(cluster.given)}"


def test_a_ready_pod() -> None:
    assert pod_of(pod("a", containers=[server()])) == Pod("a", ready=True, restarts=0, ended="")


@pytest.mark.parametrize(
    "status",
    [
        {"conditions": [{"type": "Ready", "status": "False"}]},
        {"conditions": None},
        {"phase": "Pending", "conditions": []},
    ],
)
def test_without_the_condition_a_pod_is_not_ready(status: dict[str, Any]) -> None:
    assert pod_of(pod("a", **status)).ready is False


def test_a_pod_that_was_only_just_made_has_no_status_yet() -> None:
    assert pod_of({"metadata": {"name": "a"}}) == Pod("a", ready=False)


def test_restarts_and_last_end_are_the_servers_not_a_sidecars() -> None:
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    sidecar = {"name": "mesh", "restartCount": 5, "lastState": {"terminated": {"reason": "Error", "exitCode": 1}}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    found = pod_of(pod("a", containers=[sidecar, server(2, state=waiting, lastState=ended)]))
    assert (found.restarts, found.ended) == (2, "OOMKilled, exit code 137")


def test_pods_that_are_leaving_are_not_the_versions_any_more() -> None:
    leaving = pod("c")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    namespace = Namespace(pod("b"), leaving, pod("d", phase="Failed"), pod("a"))
    pods = ClusterPods(namespace, {"x": "y"}, tunnel)
    assert [each.name for each in pods.pods()] == ["a", "b"]
    assert namespace.asked == [("Pod", {"x": "y"})]


def test_a_pod_is_asked_at_the_servers_port_through_its_tunnel() -> None:
    with ClusterPods(Namespace(pod("a")), {}, tunnel).opened("a") as url:
        assert url == "http://a:8080/1"


def service(name: str, selector: dict[str, str] | None) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"selector": selector} if selector else {}}


def test_the_service_of_the_users_is_meant_not_the_canarys() -> None:
    services = [service("iris-canary", {TRAFFIC: "canary"}), service("iris", {TRAFFIC: "green", "x": "y"})]
    assert get_selector(services, "iris", TRAFFIC) == {TRAFFIC: "green", "x": "y"}


def test_no_service_of_the_users_is_absent() -> None:
    with pytest.raises(AbsentError, match=r"iris: there is no Service"):
        get_selector([service("iris-canary", {TRAFFIC: "canary"}), service("other", None)], "iris", TRAFFIC)


def test_two_services_of_the_users_are_named() -> None:
    services = [service("b", {TRAFFIC: "main"}), service("a", {TRAFFIC: "main"})]
    with pytest.raises(ConfigurationError, match="several Services carry its label: a, b"):
        get_selector(services, "iris", TRAFFIC)
