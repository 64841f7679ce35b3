"""The proxy behind a Service's address: whom it may end, and whom it may not."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.tcp_proxy import Address, ProxyLoop, TcpProxy
from tests.server_process import listen


class Backend:
    """Listens; `accept` gives the next connection."""

    def __init__(self) -> None:
        self._listener = listen()
        self.address: Address = self._listener.getsockname()

    def accept(self) -> socket.socket:
        self._listener.settimeout(10)
        connection, _ = self._listener.accept()
        connection.settimeout(10)
        return connection

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend()
    yield made
    made.close()


class Proxy:
    """One proxy to whatever `backend` is."""

    def __init__(self) -> None:
        self.backend: Address | None = None
        self.faults: list[Any] = []
        self.loop = ProxyLoop()
        self.loop.loop.set_exception_handler(lambda _loop, context: self.faults.append(context["message"]))
        with listen() as listener:
            self.address: Address = listener.getsockname()
        self._proxy = TcpProxy(self.loop, self.address, lambda _: self.backend)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, 10)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.loop.stop()


def test_what_both_sides_send_arrives_until_each_has_ended(proxy: Proxy, backend: Backend) -> None:
    proxy.backend = backend.address
    with proxy.connect() as client, backend.accept() as upstream:
        client.sendall(b"ask")
        assert upstream.recv(10) == b"ask"
        client.shutdown(socket.SHUT_WR)
        assert upstream.recv(10) == b""
        upstream.sendall(b"answer")
        upstream.close()
        assert (client.recv(10), client.recv(10)) == (b"answer", b"")


def test_the_garbage_collector_ends_no_connection(proxy: Proxy, backend: Backend) -> None:
    """It did once: of a client that had gone, in whatever thread it ran in, and broke others with it."""
    proxy.backend = backend.address
    proxy.connect().close()
    with backend.accept() as upstream:
        assert upstream.recv(10) == b""  # the client has gone; the backend has more to say
        settled = threading.Event()
        proxy.loop.loop.call_soon_threadsafe(settled.set)
        assert settled.wait(10)
        gc.collect()
        upstream.sendall(b"more")
    assert proxy.faults == []


def test_without_a_backend_the_client_is_reset(proxy: Proxy, backend: Backend) -> None:
    backend.close()
    for nowhere in (None, backend.address):
        proxy.backend = nowhere
        with pytest.raises(ConnectionResetError):
            connect_and_read(proxy)


def connect_and_read(proxy: Proxy) -> bytes:
    """The reset may come before `connect` returns."""
    with proxy.connect() as client:
        return client.recv(10)
