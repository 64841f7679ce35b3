"""The end of a worker's server, moment by moment: its clock is the test's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from model_server.http_server import DRAIN_LINGER_SECONDS, HttpServer
from tests.server_process import listen

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def app(_environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"{}"]


class Draining:
    """A server in its drain, with one client that it waits for."""

    def __init__(self) -> None:
        self.listener = listen()
        self.port = self.listener.getsockname()[1]
        self.seconds = 0.0

    async def begin(self) -> None:
        server = HttpServer(app)
        server.start([self.listener.dup()])
        self.listener.close()
        self.idle = await asyncio.open_connection("127.0.0.1", self.port)
        assert b"Connection: close" not in await self.ask(self.idle)
        server.now = lambda: self.seconds
        self.drain = asyncio.create_task(server.drain(30))
        await asyncio.sleep(0.1)

    async def ask(self, pair: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bytes:
        """The answer's head and body."""
        pair[1].write(REQUEST)
        return await pair[0].readuntil(b"\r\n\r\n") + await pair[0].readexactly(2)


def run(test: Callable[[Draining], Any]) -> None:
    async def begin() -> None:
        draining = Draining()
        await draining.begin()
        await test(draining)
        await draining.drain

    asyncio.run(asyncio.wait_for(begin(), 20))


def test_who_connects_meanwhile_is_answered_as_proxies_do_that_have_yet_to_hear_of_it() -> None:
    async def test(draining: Draining) -> None:
        for _ in range(3):
            late = await asyncio.open_connection("127.0.0.1", draining.port)
            assert b"Connection: close" in await draining.ask(late)
            assert await late[0].read() == b""
        assert not draining.drain.done()
        assert b"Connection: close" in await draining.ask(draining.idle)

    run(test)


def test_afterwards_who_has_connected_is_served_and_who_comes_later_is_refused_at_once() -> None:
    async def test(draining: Draining) -> None:
        begun = await asyncio.open_connection("127.0.0.1", draining.port)
        begun[1].write(REQUEST[:-2])
        await asyncio.sleep(0.1)
        draining.seconds = DRAIN_LINGER_SECONDS + 0.1
        assert await draining.idle[0].read() == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", draining.port), 5)
        begun[1].write(REQUEST[-2:])
        assert (await begun[0].read()).startswith(b"HTTP/1.1 200")

    run(test)
