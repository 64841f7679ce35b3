"""A TCP proxy that gives every new connection to one of its backends, as kube-proxy and a gateway's data plane do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any

_log = logging.getLogger(__name__)

Address = tuple[str, int]

# Where a new connection goes, None: nowhere; asked with the Host that a client of a gateway wants, "" without one.
Choose = Callable[[str], Address | None]

UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 19\r\nConnection: close\r\n\r\n"
    b"no healthy upstream"
)
_HOST = re.compile(rb"\r\nhost:[ \t]*([^\r\n:]+)", re.IGNORECASE)
_HEAD_BYTES = 65536


class ProxyLoop:
    """An event loop in a thread of its own, in which all proxies of a cluster run."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="cluster-proxies", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def stop(self) -> None:
        self.run(self._cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(20)
        self.loop.close()

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class TcpProxy:
    """Listens on one address; a connection stays with the backend that it was given to until one of both ends it.

    Args:
        http: the head of the first request is read for its Host, and a client without a backend is told 503; else such
            a client's connection is reset, as kube-proxy's rules do.
    """

    def __init__(self, proxies: ProxyLoop, address: Address, choose: Choose, *, http: bool = False) -> None:
        self._proxies = proxies
        self._choose = choose
        self._http = http
        # asyncio itself keeps no hold of a stream's task once its client has gone: what is left of it, and of the connection
        # to the backend, would be ended by the garbage collector, at any moment and in any thread.
        self._carrying: set[asyncio.Task[None]] = set()
        self._server = proxies.run(asyncio.start_server(self._begin, *address))

    def close(self) -> None:
        """New connections are refused; those that are open stay."""
        self._proxies.loop.call_soon_threadsafe(self._server.close)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backend: Address | None = None
        try:
            head = await _read_head(reader) if self._http else b""
            host = _HOST.search(head)
            backend = self._choose(host[1].decode("latin-1").lower() if host else "")
            upstream = await _connect(backend)
            if upstream is None:
                await self._refuse(writer)
                return
            await _join((reader, writer), upstream, head)
        except OSError as error:
            _log.warning("a connection to %s was broken: %r", backend, error)
            _reset(writer)
        finally:
            writer.close()

    async def _refuse(self, writer: asyncio.StreamWriter) -> None:
        if not self._http:
            _reset(writer)
            return
        writer.write(UNAVAILABLE)
        await writer.drain()


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        return await reader.read(_HEAD_BYTES)


async def _connect(backend: Address | None) -> Pair | None:
    if backend is None:
        _log.warning("a connection was refused: no endpoint is ready")
        return None
    try:
        return await asyncio.open_connection(*backend)
    except OSError as error:  # the pod has gone, and is still thought to be there
        _log.warning("a connection was refused by %s: %r", backend, error)
        return None


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by RST: without SO_LINGER the kernel would send a FIN, as for an end that is meant."""
    with contextlib.suppress(OSError):  # it is closed already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _join(client: Pair, upstream: Pair, head: bytes) -> None:
    upstream[1].write(head)
    ways = [asyncio.create_task(_pour(client[0], upstream[1])), asyncio.create_task(_pour(upstream[0], client[1]))]
    try:
        await asyncio.gather(*ways)
    finally:
        for way in ways:
            way.cancel()
        upstream[1].close()


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    with contextlib.suppress(OSError):
        sink.write_eof()
