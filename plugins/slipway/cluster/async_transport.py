"""One request to the API through the official client for asyncio: as `transport`, and answers that never end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from slipway.cluster.patience import Patience
from slipway.cluster.status import ApiError, NoAnswerError, Status
from slipway.cluster.transport import Request, log_wait, may_pass, note_tries

_CONNECT_SECONDS, _ANSWER_SECONDS = 10.0, 40.0


class AsyncTransport:
    """Sends requests through a `kubernetes_asyncio` ApiClient. Arguments as of `Transport`; `sleep` is awaited."""

    def __init__(
        self,
        client: Any,
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._patience, self._clock, self._sleep = client, patience or Patience(), clock, sleep

    async def send(self, request: Request) -> bytes:
        """The answer's body. Raises as `Transport.send`."""
        began, attempt = self._clock(), 0
        while True:
            attempt += 1
            try:
                async with self.answer(request, _ANSWER_SECONDS) as answer:
                    return bytes(await answer.read())
            except (ApiError, NoAnswerError) as error:
                status = error.status if isinstance(error, ApiError) else None
                elapsed_seconds = self._clock() - began
                pause = self._patience.wait_seconds(attempt, elapsed_seconds, status) if may_pass(error) else None
                if pause is None:
                    note_tries(error, attempt, elapsed_seconds)
                    raise
                log_wait(request, error, pause)
                await self._sleep(pause)

    @asynccontextmanager
    async def answer(self, request: Request, silence_seconds: float) -> AsyncIterator[Any]:
        """aiohttp's response while its body is read, once; `silence_seconds` is the longest pause between two pieces.

        Raises:
            ApiError, NoAnswerError: also from reading the body within.
        """
        from aiohttp import ClientError, ClientTimeout

        timeout = ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=silence_seconds)
        try:
            answer = await self._client.call_api(**request.arguments(timeout))
            async with answer:
                if answer.status >= 300:
                    raise ApiError(Status.read(answer.status, await answer.read(), answer.headers))
                yield answer
        except (ClientError, OSError, TimeoutError) as error:
            raise NoAnswerError.of(error) from error
