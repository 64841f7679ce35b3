"""Waking up when something may have changed, through the official client for asyncio."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import kmock
import pytest
from aiohttp import web

from slipway.cluster.watching import AsyncCluster
from slipway.core.errors import DeniedError
from tests.kube_api import NAMESPACE, KubeApi, Reply, raw, status

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
FOREVER = 1e12
LABELS = {"slipway.dev/model": "iris"}

Step = Callable[[web.StreamResponse, web.BaseRequest], Awaitable[None]]


def event(kind: str, version: int, name: str = "iris-0") -> bytes:
    obj = {"kind": "Pod", "metadata": {"name": name, "resourceVersion": str(version)}}
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


EXPIRED = {
    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
    "message": "too old resource version: 101 (5000)", "reason": "Expired", "code": 410,
}  # fmt: skip


class Watches:
    """Answers lists and watches; each watch plays the next of `scripts`, then is silent until the test ends."""

    def __init__(self, api: KubeApi, *scripts: list[bytes | str]) -> None:
        self.lists, self.watches = list[kmock.Request](), list[kmock.Request]()
        self.begun, self.gone = threading.Event(), threading.Event()
        self._scripts = list(scripts)
        api.on("GET", PODS, self._answer)

    async def _answer(self, request: kmock.Request) -> web.StreamResponse:
        if "watch" not in request.params:
            self.lists.append(request)
            return Reply(200, {"metadata": {"resourceVersion": str(100 * len(self.lists))}, "items": []}).response()
        self.watches.append(request)
        script = self._scripts.pop(0) if self._scripts else []
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(raw(request))
        for step in script:
            if step == "end":
                return answer
            if step == "cut":
                raw(request).transport.abort()  # type: ignore[union-attr]
                return answer
            assert isinstance(step, bytes)
            await answer.write(step)
        self.begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            self.gone.set()
        return answer


@asynccontextmanager
async def watching(api: KubeApi, **options: Any) -> AsyncIterator[AsyncCluster]:
    from kubernetes_asyncio.client import ApiClient, Configuration

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    slept: list[float] = options.pop("slept", [])
    async with ApiClient(Configuration(host=api.address)) as client:
        yield AsyncCluster(client, NAMESPACE, "staging", **{"poll_seconds": 30.0, "sleep": sleep, **options})


async def woken_until(api: KubeApi, enough: Callable[[], bool], **options: Any) -> int:
    """How often the caller was woken until `enough`; fails the test after ten seconds."""
    count = 0
    async with (
        asyncio.timeout(10),
        watching(api, **options) as cluster,
        aclosing(cluster.changes("Pod", LABELS, until=FOREVER)) as changes,
    ):
        async for _ in changes:
            count += 1
            if enough():
                break
    return count


def test_the_caller_is_woken_at_once_and_the_watch_begins_where_the_list_ended(api: KubeApi) -> None:
    watches = Watches(api)
    assert asyncio.run(woken_until(api, lambda: True)) == 1
    assert dict(watches.lists[0].params) == {"labelSelector": "slipway.dev/model=iris", "limit": "1"}

    async def scenario() -> None:
        async with watching(api) as cluster, aclosing(cluster.changes("Pod", LABELS, until=FOREVER)) as changes:
            await anext(changes)
            await asyncio.to_thread(watches.begun.wait, 5)

    asyncio.run(scenario())
    params = dict(watches.watches[-1].params)
    assert params.pop("timeoutSeconds").isdigit()
    assert params == {
        "watch": "true",
        "resourceVersion": "200",
        "allowWatchBookmarks": "true",
        "labelSelector": "slipway.dev/model=iris",
    }


def test_an_event_wakes_and_a_bookmark_only_moves_on(api: KubeApi) -> None:
    watches = Watches(api, [event("BOOKMARK", 150), "end"], [event("MODIFIED", 160), "end"], [])

    async def scenario() -> None:
        async with watching(api) as cluster, aclosing(cluster.changes("Pod", until=FOREVER)) as changes:
            await anext(changes)
            await anext(changes)
            assert len(watches.watches) >= 2
            await asyncio.to_thread(watches.begun.wait, 5)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(changes), 0.1)

    asyncio.run(scenario())
    assert [request.params["resourceVersion"] for request in watches.watches] == ["100", "150", "160"]
    assert len(watches.lists) == 1


def test_events_while_the_caller_is_busy_are_one(api: KubeApi) -> None:
    watches = Watches(api, [event("MODIFIED", number) for number in range(101, 150)])

    async def scenario() -> None:
        async with watching(api) as cluster, aclosing(cluster.changes("Pod", until=FOREVER)) as changes:
            await anext(changes)
            await asyncio.to_thread(watches.begun.wait, 5)
            await asyncio.sleep(0.05)  # let the client read what is already in its socket
            await anext(changes)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(changes), 0.1)

    asyncio.run(scenario())


def test_an_event_cut_in_two_is_read_when_it_is_whole(api: KubeApi) -> None:
    whole = event("MODIFIED", 170)
    watches = Watches(api, [whole[:30], whole[30:] + whole[:10], "end"], [])
    asyncio.run(woken_until(api, watches.begun.is_set, poll_seconds=0.05))
    assert watches.watches[1].params["resourceVersion"] == "170"


def test_a_cut_connection_goes_on_where_it_was(api: KubeApi) -> None:
    watches, slept = Watches(api, [event("ADDED", 110), "cut"], ["cut"], ["cut"], []), list[float]()
    asyncio.run(woken_until(api, watches.begun.is_set, poll_seconds=0.05, slept=slept))
    assert [request.params["resourceVersion"] for request in watches.watches] == ["100", "110", "110", "110"]
    assert len(watches.lists) == 1
    assert slept == [0.25, 0.5, 1.0]


def test_an_expired_version_lists_anew(api: KubeApi) -> None:
    error = json.dumps({"type": "ERROR", "object": EXPIRED}).encode() + b"\n"
    watches = Watches(api, [event("ADDED", 101), error, "end"], [])
    asyncio.run(woken_until(api, watches.begun.is_set, poll_seconds=0.05))
    assert [request.params["resourceVersion"] for request in watches.watches] == ["100", "200"]
    assert len(watches.lists) == 2


def test_an_expired_version_that_is_said_by_http_lists_anew(api: KubeApi) -> None:
    asked = list[kmock.Request]()

    async def answer(request: kmock.Request) -> web.StreamResponse:
        asked.append(request)
        if "watch" in request.params:
            return Reply(410, EXPIRED).response()
        return Reply(200, {"metadata": {"resourceVersion": str(len(asked))}, "items": []}).response()

    api.on("GET", PODS, answer)
    asyncio.run(woken_until(api, lambda: len(asked) >= 4))
    assert ["watch" in request.params for request in asked[:4]] == [False, True, False, True]


def test_throttling_of_a_watch_is_waited_out(api: KubeApi) -> None:
    watching_at = list[bool]()

    async def answer(request: kmock.Request) -> web.StreamResponse:
        if "watch" not in request.params:
            return Reply(200, {"metadata": {"resourceVersion": "1"}, "items": []}).response()
        watching_at.append(True)
        return status(429, "TooManyRequests", "too many", headers={"Retry-After": "5"}).response()

    slept = list[float]()
    api.on("GET", PODS, answer)
    asyncio.run(woken_until(api, lambda: len(watching_at) >= 3, slept=slept))
    assert slept[:2] == [5.0, 5.0]


def test_an_api_that_does_not_answer_still_lets_the_clock_wake(api: KubeApi) -> None:
    api.on("GET", PODS, status(503, "ServiceUnavailable", "the server is currently unable to handle the request"))
    calls = iter(range(100))
    assert asyncio.run(woken_until(api, lambda: next(calls) >= 3, poll_seconds=0.01, sleep=asyncio.sleep)) == 4


@pytest.mark.parametrize("verb", ["list", "watch"])
def test_who_may_not_watch_is_denied(api: KubeApi, verb: str) -> None:
    said = f'pods is forbidden: User "jane" cannot {verb} resource "pods" in API group "" in the namespace "models"'

    async def answer(request: kmock.Request) -> web.StreamResponse:
        if verb == "watch" and "watch" not in request.params:
            return Reply(200, {"metadata": {"resourceVersion": "1"}, "items": []}).response()
        return status(403, "Forbidden", said).response()

    api.on("GET", PODS, answer)
    with pytest.raises(DeniedError, match=f"jane may not {verb} pods in namespace models"):
        asyncio.run(woken_until(api, lambda: False))


def test_it_ends_at_its_time(api: KubeApi) -> None:
    Watches(api)

    async def scenario() -> int:
        now = iter([0.0, 0.0, 0.5, 0.99, 1.0])
        async with watching(api, poll_seconds=0.01, clock=lambda: next(now)) as cluster:
            return len([None async for _ in cluster.changes("Pod", until=1.0)])

    assert asyncio.run(scenario()) == 4


def test_closing_ends_the_watch_at_once(api: KubeApi) -> None:
    watches = Watches(api)

    async def scenario() -> None:
        async with watching(api) as cluster:
            changes = cluster.changes("Pod", until=FOREVER)
            await anext(changes)
            await asyncio.to_thread(watches.begun.wait, 5)
            async with asyncio.timeout(1):
                await changes.aclose()  # type: ignore[attr-defined]
            assert [task for task in asyncio.all_tasks() if "Watch" in repr(task)] == []
            assert await asyncio.to_thread(watches.gone.wait, 5)

    asyncio.run(scenario())


def test_a_cancelled_caller_ends_the_watch(api: KubeApi) -> None:
    watches = Watches(api)

    async def scenario() -> None:
        async with watching(api) as cluster:

            async def look() -> None:
                async with aclosing(cluster.changes("Pod", until=FOREVER)) as changes:
                    async for _ in changes:
                        pass

            task = asyncio.create_task(look())
            await asyncio.to_thread(watches.begun.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(watches.gone.wait, 5)

    asyncio.run(scenario())
