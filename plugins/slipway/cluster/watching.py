"""A namespace of a cluster for a trigger: read it, and wake up when something may have changed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from slipway.cluster.api import PAGE, Object, Objects, named_items, read_json, selector
from slipway.cluster.async_transport import AsyncTransport
from slipway.cluster.errors import missing_api, translate
from slipway.cluster.patience import Patience
from slipway.cluster.resources import OPTIONAL_KINDS, RESOURCES
from slipway.cluster.status import ApiError, NoAnswerError
from slipway.cluster.transport import Request
from slipway.cluster.watch import Watch


class AsyncCluster:
    """One namespace, read through a `kubernetes_asyncio` ApiClient; errors as of `Cluster`.

    Args:
        client: the ApiClient; who made it closes it.
        namespace: where.
        name: what texts call the cluster.
        patience: how long to ask an API that does not answer, or asks to wait; 30 seconds.
        poll_seconds: the longest pause between two wake-ups.
        clock: Unix time in seconds.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        client: Any,
        namespace: str,
        name: str = "cluster",
        *,
        patience: Patience | None = None,
        poll_seconds: float = 10.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.client, self.namespace, self.name, self._poll_seconds = client, namespace, name, poll_seconds
        self._clock, self._sleep = clock, sleep
        self._transport = AsyncTransport(client, patience=patience, sleep=sleep)

    async def find(self, kind: str, name: str) -> Object | None:
        """The object, or None: there is none."""
        with self._translated(f"could not read the {kind}", f"{kind}/{name}"):
            try:
                return await self._json(RESOURCES[kind].path(self.namespace, name), {})
            except ApiError as error:
                if error.status.code == 404:
                    return None
                raise

    async def list(self, kind: str, labels: Mapping[str, str] | None = None) -> Objects:
        """All objects that have these labels; as `Cluster.list`."""
        failed = f"could not list the {kind}s"
        with self._translated(failed, kind):
            try:
                return await self._whole(kind, labels or {})
            except ApiError as error:
                if error.status.code == 404 and kind in OPTIONAL_KINDS:
                    return []
                if error.status.code == 404:
                    raise missing_api(RESOURCES[kind], failed, self._on(kind)) from error
                raise

    async def changes(self, kind: str, labels: Mapping[str, str] | None = None, *, until: float) -> AsyncIterator[None]:
        """Wakes the caller: at once, when something may have changed, and every `poll_seconds`.

        A wake-up is no source of truth: read what you need then. Wake-ups that come while the caller is busy are one.
        While the API does not answer the caller is woken by the clock, and its own reading tells.

        Args:
            kind: what is watched; what happens to other kinds is seen by the next poll.
            labels: that the objects have.
            until: Unix time in seconds at which the iterator ends.

        Raises:
            DeniedError: we may not list or watch.
            ConfigurationError, AbsentError: as `Cluster`.
        """
        changed, path = asyncio.Event(), RESOURCES[kind].path(self.namespace)
        watch = Watch(self._transport, path, _query(labels or {}), changed, self._sleep)
        watcher = asyncio.create_task(watch.run())
        try:
            while (left_seconds := until - self._clock()) > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), min(left_seconds, self._poll_seconds))
                changed.clear()
                if watcher.done():
                    with self._translated(f"could not watch the {kind}s", kind):
                        watcher.result()
                yield
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _whole(self, kind: str, labels: Mapping[str, str]) -> Objects:
        """In pages; in one piece if what the pages are of expires again and again."""
        for limit in ({"limit": str(PAGE)},) * 3:
            try:
                return await self._pages(kind, _query(labels) | limit)
            except ApiError as error:
                if error.status.code != 410:
                    raise
        return await self._pages(kind, _query(labels))

    async def _pages(self, kind: str, query: dict[str, str]) -> Objects:
        resource, found = RESOURCES[kind], Objects()
        while True:
            answer = await self._json(resource.path(self.namespace), query)
            found += named_items(answer, resource)
            token = answer.get("metadata", {}).get("continue")
            if not token:
                return found
            query["continue"] = token

    async def _json(self, path: str, query: Mapping[str, str]) -> Object:
        return read_json(await self._transport.send(Request("GET", path, query)))

    def _on(self, what: str) -> str:
        return f"{what} in {self.namespace} ({self.name})"

    @contextmanager
    def _translated(self, failed: str, on: str) -> Iterator[None]:
        try:
            yield
        except (ApiError, NoAnswerError) as error:
            raise translate(error, failed, self._on(on)) from error


def _query(labels: Mapping[str, str]) -> dict[str, str]:
    return {"labelSelector": selector(labels)} if labels else {}
