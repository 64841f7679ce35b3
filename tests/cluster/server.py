"""The thread that the API is served from."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import Any

import kmock
from aiohttp.test_utils import RawTestServer

from tests.cluster.api import Api
from tests.cluster.tls import Certificate

START_SECONDS = 10


class _QuietServer(RawTestServer):
    """aiohttp's server without a log of every request, with TLS where there is a certificate."""

    def __init__(self, certificate: Certificate | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._certificate = certificate

    async def start_server(self, loop: asyncio.AbstractEventLoop | None = None, **kwargs: Any) -> None:
        context = self._certificate.context() if self._certificate else None
        await super().start_server(loop, ssl=context, access_log=None, **kwargs)


class Server:
    """kmock's server, in a thread with an event loop of its own."""

    def __init__(self, api: Api, host: str, port: int, certificate: Certificate | None) -> None:
        self._api, self._host, self._port, self._certificate = api, host, port, certificate
        self._thread = threading.Thread(target=self._run, name="cluster-api", daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._url = ""
        self._error: BaseException | None = None

    def start(self) -> str:
        """The URL, as soon as requests are answered."""
        self._thread.start()
        assert self._ready.wait(START_SECONDS), "the API server did not start"
        if self._error:
            raise self._error
        return self._url

    def stop(self) -> None:
        """Ends the server; raises what went wrong in it."""
        if self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)
        assert not self._thread.is_alive(), "the API server did not stop"
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._loop = None
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        made = functools.partial(_QuietServer, self._certificate)
        async with self._api, kmock.Server(self._api, self._host, self._port or None, made) as server:
            self._url = str(server.url).rstrip("/")
            self._ready.set()
            await self._stop.wait()
            self._api.abort()
