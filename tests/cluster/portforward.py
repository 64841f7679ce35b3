"""The portforward subresource of pods: connections to a pod's ports in one websocket, protocol v4.channel.k8s.io."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from aiohttp import WSMsgType, web

PROTOCOL = "v4.channel.k8s.io"
BLOCK_BYTES = 32 * 1024

Opener = Callable[[int], tuple[str, int]]  # a port of the pod to the address where it can be reached


async def serve(request: web.BaseRequest, ports: Sequence[int], open_port: Opener) -> web.WebSocketResponse:
    """Carry bytes between the client and the ports until either side ends.

    Port number i of the request has the channels 2i (data) and 2i+1 (errors); each begins with a frame that holds the
    port as two bytes, little endian.
    """
    socket = web.WebSocketResponse(protocols=(PROTOCOL,))
    await socket.prepare(request)
    channels = [_Channel(socket, index, port) for index, port in enumerate(ports)]
    for channel in channels:
        await channel.greet()
    carrying = asyncio.create_task(_carry(channels, open_port))
    reading = asyncio.create_task(_read(socket, channels))
    try:
        await asyncio.wait([reading, carrying], return_when=asyncio.FIRST_COMPLETED)
    finally:
        reading.cancel()
        carrying.cancel()
    with contextlib.suppress(ConnectionError):
        await socket.close()
    return socket


class _Channel:
    """One port of a forward."""

    def __init__(self, socket: web.WebSocketResponse, index: int, port: int) -> None:
        self._socket, self._port = socket, port
        self._data, self._error = bytes([2 * index]), bytes([2 * index + 1])
        self._writer: asyncio.StreamWriter | None = None
        self._opened = asyncio.Event()

    async def greet(self) -> None:
        number = self._port.to_bytes(2, "little")
        await self._socket.send_bytes(self._data + number)
        await self._socket.send_bytes(self._error + number)

    async def run(self, open_port: Opener) -> None:
        """Connect to the pod, and carry what it sends until it ends."""
        try:
            address = await asyncio.get_running_loop().run_in_executor(None, open_port, self._port)
            reader, self._writer = await asyncio.open_connection(*address)
        except Exception as error:
            await self._socket.send_bytes(self._error + self._refusal(error).encode())
            return
        finally:
            self._opened.set()
        try:
            while block := await reader.read(BLOCK_BYTES):
                await self._socket.send_bytes(self._data + block)
        except ConnectionError as error:
            await self._socket.send_bytes(self._error + self._refusal(error).encode())
        finally:
            self._writer.close()

    def _refusal(self, error: Exception) -> str:
        return f"error forwarding port {self._port} to pod: {error}"

    async def feed(self, block: bytes) -> None:
        """Send what the client sent."""
        await self._opened.wait()
        if self._writer and not self._writer.is_closing():
            self._writer.write(block)
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()


async def _carry(channels: Sequence[_Channel], open_port: Opener) -> None:
    await asyncio.gather(*(channel.run(open_port) for channel in channels))


async def _read(socket: web.WebSocketResponse, channels: Sequence[_Channel]) -> None:
    async for message in socket:
        if message.type is WSMsgType.BINARY and message.data[:1] and message.data[0] // 2 < len(channels):
            await channels[message.data[0] // 2].feed(message.data[1:])
