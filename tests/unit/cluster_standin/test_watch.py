"""Watches through the real clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client as kubernetes_client
from kubernetes import watch
from kubernetes.client import ApiException
from urllib3.exceptions import ProtocolError

from tests.cluster import Cluster
from tests.unit.cluster_standin.conftest import PODS, Client, pod


def stream(client: Client, **options: Any) -> Iterator[dict[str, Any]]:
    api = kubernetes_client.CoreV1Api(client.api)
    return iter(watch.Watch().stream(api.list_namespaced_pod, "models", **options))


def named(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["raw_object"]["metadata"]["name"]


def test_a_watch_begins_with_what_there_is_and_goes_on_with_what_changes(client: Client, cluster: Cluster) -> None:
    client.call("POST", PODS, pod("first"))
    events = stream(client, timeout_seconds=20)
    assert named(next(events)) == ("ADDED", "first")
    client.call("POST", PODS, pod("second"))
    assert named(next(events)) == ("ADDED", "second")
    cluster.store.set_status("Pod", "models", "first", {"phase": "Running"})
    assert named(next(events)) == ("MODIFIED", "first")
    client.call("DELETE", f"{PODS}/first")
    assert named(next(events)) == ("DELETED", "first")


def test_a_watch_from_a_version_gets_what_came_after_it(client: Client) -> None:
    client.call("POST", PODS, pod("first"))
    version = client.call("GET", PODS)["metadata"]["resourceVersion"]
    client.call("POST", PODS, pod("second"))
    assert named(next(stream(client, resource_version=version, timeout_seconds=20))) == ("ADDED", "second")


def test_an_object_that_is_no_longer_selected_is_deleted_for_the_watch(client: Client, cluster: Cluster) -> None:
    client.call("POST", PODS, pod("first"))
    events = stream(client, label_selector="app=first", timeout_seconds=20)
    assert named(next(events)) == ("ADDED", "first")
    cluster.store.update("Pod", "models", "first", lambda obj: obj["metadata"].update(labels={"app": "other"}))
    assert named(next(events)) == ("DELETED", "first")


def test_a_watch_from_a_forgotten_version_is_gone(client: Client, cluster: Cluster) -> None:
    version = client.call("GET", PODS)["metadata"]["resourceVersion"]
    client.call("POST", PODS, pod("first"))
    cluster.faults.compact()
    with pytest.raises(ApiException) as caught:
        next(stream(client, resource_version=version, timeout_seconds=20))
    assert caught.value.status == 410
    assert "Expired: too old resource version" in caught.value.reason


def test_a_watch_that_is_cut_breaks_off_at_once(client: Client, cluster: Cluster) -> None:
    client.call("POST", PODS, pod("first"))
    events = stream(client, timeout_seconds=20)
    next(events)
    assert cluster.open_watches == 1
    cutting = threading.Thread(target=cluster.faults.cut_watches)
    cutting.start()
    with pytest.raises((ProtocolError, ConnectionError)):
        next(events)
    cutting.join(10)


def test_a_watch_ends_by_itself_and_bookmarks_say_where(client: Client, cluster: Cluster) -> None:
    events = list(stream(client, resource_version="0", timeout_seconds=1, allow_watch_bookmarks=True))
    assert {event["type"] for event in events} == {"BOOKMARK"}
    assert events[-1]["raw_object"]["metadata"]["resourceVersion"] == str(cluster.store.version)


def test_the_asynchronous_client_watches_too(cluster: Cluster, tmp_path: Path) -> None:
    from kubernetes_asyncio import client as async_client
    from kubernetes_asyncio import config as async_config
    from kubernetes_asyncio import watch as async_watch

    path = cluster.kubeconfig(tmp_path / "kubeconfig")
    cluster.store.create(pod("first"))

    async def first() -> tuple[str, str]:
        configuration = async_client.Configuration()
        await async_config.load_kube_config(str(path), client_configuration=configuration)
        async with async_client.ApiClient(configuration) as api, async_watch.Watch() as watching:
            core = async_client.CoreV1Api(api)
            async for event in watching.stream(core.list_namespaced_pod, "models", timeout_seconds=20):
                return event["type"], event["raw_object"]["metadata"]["name"]
        raise AssertionError("no event")

    assert asyncio.run(first()) == ("ADDED", "first")
