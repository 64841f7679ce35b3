"""Watches: a stream of one JSON document a line for every change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from tests.cluster.kinds import Kind
from tests.cluster.queries import flag
from tests.cluster.selectors import Test
from tests.cluster.status import StatusError
from tests.cluster.store import Change, Store

Object = dict[str, Any]
DEFAULT_TIMEOUT_SECONDS = 1800
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Watches:
    """All open watches of a server; `wake` tells them that the store has changed."""

    def __init__(self, store: Store, *, bookmark_seconds: float) -> None:
        self._store = store
        self._bookmark_seconds = bookmark_seconds
        self._open: dict[asyncio.Event, asyncio.Transport] = {}

    def wake(self) -> None:
        """In the server's loop: there is something new."""
        for event in self._open:
            event.set()

    def cut(self) -> int:
        """In the server's loop: close the connections of all watches as a broken network does; how many there were."""
        for transport in self._open.values():
            transport.abort()
        return len(self._open)

    def __len__(self) -> int:
        return len(self._open)

    async def serve(
        self, request: web.BaseRequest, kind: Kind, namespace: str | None, test: Test, query: Mapping[str, str]
    ) -> web.StreamResponse:
        """Answer a watch until its timeoutSeconds have passed, the client has gone, or its history was lost (410)."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        changed = asyncio.Event()
        assert request.transport is not None
        self._open[changed] = request.transport
        try:
            await self._stream(response, _Watch(self._store, kind, namespace, test, query), changed, query)
        except StatusError as error:
            await _send(response, "ERROR", error.status())
        finally:
            del self._open[changed]
        return response

    async def _stream(
        self, response: web.StreamResponse, watch: _Watch, changed: asyncio.Event, query: Mapping[str, str]
    ) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + float(query.get("timeoutSeconds") or DEFAULT_TIMEOUT_SECONDS)
        bookmarks = flag(query, "allowWatchBookmarks")
        for what, obj in watch.initial():
            await _send(response, what, obj)
        while True:
            changed.clear()
            for what, obj in watch.news():
                await _send(response, what, obj)
            wait_seconds = min(self._bookmark_seconds, end - loop.time())
            if wait_seconds <= 0:
                break
            try:
                await asyncio.wait_for(changed.wait(), wait_seconds)
            except TimeoutError:
                if bookmarks:
                    await _send(response, "BOOKMARK", watch.bookmark())


class _Watch:
    """What one watch has still to say."""

    def __init__(self, store: Store, kind: Kind, namespace: str | None, test: Test, query: Mapping[str, str]) -> None:
        self._store, self._kind, self._namespace, self._test = store, kind, namespace, test
        asked = query.get("resourceVersion", "")
        self._from_now = asked in {"", "0"}
        self._version = 0 if self._from_now else _number(asked)
        self._initial = flag(query, "sendInitialEvents")

    def initial(self) -> Iterator[tuple[str, Object]]:
        """The objects that there are, where the watch does not begin at a known version."""
        if not self._from_now and not self._initial:
            return
        with self._store.lock:
            found, self._version = self._store.list(self._kind.name, self._namespace), self._store.version
        yield from (("ADDED", obj) for obj in found if self._test(obj))
        if self._initial:
            mark = self.bookmark()
            mark["metadata"]["annotations"] = {INITIAL_EVENTS_END: "true"}
            yield "BOOKMARK", mark

    def news(self) -> Iterator[tuple[str, Object]]:
        """The changes since the last call. Raises StatusError 410."""
        with self._store.lock:
            changes, now = self._store.changes(self._version), self._store.version
        for change in changes:
            what = self._type(change)
            if what:
                yield what, change.object
        self._version = max(now, self._version)

    def bookmark(self) -> Object:
        """Where the watch is now."""
        meta = {"resourceVersion": str(self._version), "creationTimestamp": None}
        return {"kind": self._kind.name, "apiVersion": self._kind.api_version, "metadata": meta}

    def _type(self, change: Change) -> str | None:
        """ADDED and DELETED also for objects that begin or cease to be selected."""
        obj = change.object
        if obj["kind"] != self._kind.name or self._namespace not in {None, obj["metadata"].get("namespace", "")}:
            return None
        before = change.old is not None and self._test(change.old)
        after = change.type != "DELETED" and self._test(obj)
        return {(False, True): "ADDED", (True, True): "MODIFIED", (True, False): "DELETED"}.get((before, after))


def _number(version: str) -> int:
    try:
        return int(version)
    except ValueError as error:
        raise StatusError(400, f'invalid resource version "{version}"') from error


async def _send(response: web.StreamResponse, what: str, obj: Object) -> None:
    await response.write(json.dumps({"type": what, "object": obj}).encode() + b"\n")
