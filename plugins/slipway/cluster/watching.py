"""A namespace of a cluster for a trigger: wake up when something may have changed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from slipway.cluster.api import selector
from slipway.cluster.async_transport import AsyncTransport
from slipway.cluster.errors import translate
from slipway.cluster.patience import Patience
from slipway.cluster.resources import RESOURCES
from slipway.cluster.status import ApiError, NoAnswerError
from slipway.cluster.watch import Watch


class AsyncCluster:
    """One namespace, watched through a `kubernetes_asyncio` ApiClient; errors as of `Cluster`.

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
