"""A watch of one kind that outlives cut connections and expired versions.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from slipway.cluster.async_transport import AsyncTransport
from slipway.cluster.patience import backoff_seconds, is_passing
from slipway.cluster.status import ApiError, NoAnswerError, Status
from slipway.cluster.transport import Request, may_pass

_WATCH_SECONDS = 240  # the API server ends a watch after that; the next goes on where it ended
_SILENCE_SECONDS = _WATCH_SECONDS + 30.0


class Watch:
    """Sets `changed` when an object may have changed.

    Args:
        transport: to the API.
        path: of the collection.
        query: a selector, or nothing.
        changed: is set, never cleared.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        path: str,
        query: dict[str, str],
        changed: asyncio.Event,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._transport, self._path, self._query = transport, path, query
        self._changed, self._sleep = changed, sleep
        self._version, self._failures = "", 0

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            ApiError, NoAnswerError: one that asking again cannot mend; `changed` is set.
        """
        try:
            while True:
                await self._sleep_after(await self._try())
        finally:
            self._changed.set()

    async def _try(self) -> ApiError | NoAnswerError | None:
        """List if need be, and watch until the stream ends; the error that ended it, None: it just ended."""
        try:
            if not self._version:
                await self._list()
            async with aclosing(self._events()) as events:
                async for event in events:
                    self._take(event)
        except (ApiError, NoAnswerError) as error:
            if not self._is_passing(error):
                raise
            self._changed.set()
            return error
        return None

    async def _sleep_after(self, error: ApiError | NoAnswerError | None) -> None:
        self._failures += (
            1  # also for a stream that ended by itself: one that held nothing at all must not be a busy loop
        )
        asked = error.status.retry_after_seconds if isinstance(error, ApiError) else None
        await self._sleep(asked or backoff_seconds(self._failures))

    def _is_passing(self, error: ApiError | NoAnswerError) -> bool:
        if isinstance(error, ApiError) and error.status.code == 410:  # what we know is too old to go on from
            self._version = ""
            return True
        return is_passing(error.status) if isinstance(error, ApiError) else may_pass(error)

    async def _list(self) -> None:
        """Where to watch from. One item is enough: the caller reads what it needs itself."""
        body = await self._transport.send(Request("GET", self._path, {**self._query, "limit": "1"}))
        self._version = str(_read(body).get("metadata", {}).get("resourceVersion", ""))
        self._changed.set()

    async def _events(self) -> AsyncGenerator[dict[str, Any], None]:
        query = {"watch": "true", "resourceVersion": self._version, "allowWatchBookmarks": "true"}
        query |= {"timeoutSeconds": str(_WATCH_SECONDS), **self._query}
        async with self._transport.answer(Request("GET", self._path, query), _SILENCE_SECONDS) as answer:
            rest = b""
            async for piece in answer.content.iter_any():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    yield _read(line)

    def _take(self, event: dict[str, Any]) -> None:
        """Raises ApiError: the event says that the watch is over, and why."""
        obj = event.get("object") or {}
        if event.get("type") == "ERROR":
            raise ApiError(Status.read(int(obj.get("code") or 500), json.dumps(obj)))
        self._version = str(obj.get("metadata", {}).get("resourceVersion") or self._version)
        self._failures = 0
        if event.get("type") != "BOOKMARK":
            self._changed.set()


def _read(line: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError) as error:
        raise NoAnswerError("what answered is not the Kubernetes API: it said no JSON") from error
