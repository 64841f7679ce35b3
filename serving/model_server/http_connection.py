"""One client's connection, on the worker's event loop: bytes in, calls of the WSGI application, bytes out.

Nothing that a client does holds a thread: heads and bodies are collected here, and only whole requests reach the
application. Quick ones are answered right here, which costs less than handing them to a thread; the others by a thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from model_server.http_answer import Answer, render
from model_server.http_reader import Refused, RequestReader, WholeRequest
from model_server.message import Reply, plain_error

if TYPE_CHECKING:
    from model_server.http_server import HttpServer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
MAX_QUEUED = 64
MAX_IN_A_ROW = 32
LINGER_SECONDS = 2.0
LARGE_BYTES = 256 * 1024


class Connection(asyncio.Protocol):
    """Reads requests, has them answered one at a time, writes the answers in order."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._queue: deque[WholeRequest | Reply] = deque()
        self._serving: WholeRequest | None = None
        self._lingering = False
        self._client_is_done = False
        self._reserved_bytes = 0
        self._waits_for_room = False
        self._client_is_full = False
        self.deadline = server.now() + server.limits.head_seconds  # when `expire` is called, in the loop's time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there; its first head must come in time."""
        server = self._server
        self._transport: Any = transport
        self._remote = str((transport.get_extra_info("peername") or ("",))[0])
        self._reader = RequestReader(
            server.environ | {"REMOTE_ADDR": self._remote},
            server.heads,
            server.limits.max_body_bytes,
            server.admit,
            lambda: transport.write(CONTINUE),  # type: ignore[attr-defined]
        )
        server.connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """What is still queued has nobody to go to."""
        self._queue.clear()
        self._serving = None
        self._release()
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """The short way for a whole request whose head is known, the parser for anything else."""
        if self._reader.phase == "idle" and not (self._serving or self._queue or self._lingering):
            end = data.find(b"\r\n\r\n") + 4
            found = self._server.heads.find(data[:end])
            if found is not None and found[1] == len(data) - end:
                environ = found[0].copy()
                environ["REMOTE_ADDR"] = self._remote
                if (refusal := self._server.admit(environ)) is None:
                    self._serve(WholeRequest(environ, data[end:], True))
                else:
                    self._refuse(refusal)
                return
        if not self._lingering:  # what comes after a refusal is read, lest the answer be lost to a reset, and dropped
            self._parse(data)

    def eof_received(self) -> bool:
        """A client that has closed its side may still read the answer to what it sent whole."""
        self._client_is_done = True
        return self._serving is not None

    def pause_writing(self) -> None:
        """The client reads more slowly than we answer: it is asked nothing more, and gets as long as for sending a body."""
        self._client_is_full = True
        self._transport.pause_reading()
        self.deadline = self._server.now() + self._server.limits.body_seconds

    def resume_writing(self) -> None:
        """It has caught up."""
        self._client_is_full = False
        if not self._serving:
            self._wind_clock()
        self._next()
        self._read_on()

    def is_idle(self) -> bool:
        """Between two requests."""
        return self._reader.phase == "idle" and not (self._serving or self._queue or self._lingering)

    def close(self) -> None:
        """Once what is written has gone out."""
        self._transport.close()

    def expire(self) -> None:
        """The deadline has passed."""
        if self._serving:
            reply = plain_error(503, "the request took too long and was given up")
            self._server.note_refusal(self._serving.environ, reply)
            self._answer(reply, last=True)
        elif self._transport.get_write_buffer_size() or self._lingering:
            self._transport.abort()
        elif self._reader.phase != "idle":
            reply = plain_error(408, "the request did not arrive in time")
            self._server.note_refusal(self._reader.environ, reply)
            self._refuse(reply)
        else:
            self._transport.close()

    def finish(self, request: WholeRequest, answer: Answer | Reply) -> None:
        """An answer that did not come straight back; it is too late if the request was given up or the client is gone."""
        if self._serving is request:
            self._answer(answer)
            self._next()

    def go_on_reading(self) -> None:
        """There is room for the large body that was held back."""
        self._waits_for_room = False
        if not self._serving:
            self._wind_clock()
        self._read_on()

    def _parse(self, data: bytes) -> None:
        reader = self._reader
        before = (reader.number, reader.phase)
        try:
            self._queue.extend(reader.feed(data))
        except Refused as refused:
            if not refused.is_noted:
                self._server.note_refusal(reader.environ, refused.reply)
            self._queue.extend([*reader.take(), refused.reply])
        if (reader.number, reader.phase) != before:
            self._began(reader)
        self._next()
        if len(self._queue) > MAX_QUEUED:
            self._transport.pause_reading()

    def _began(self, reader: RequestReader) -> None:
        """Another part of a request is under way: it has a deadline of its own, and a large body needs room."""
        if reader.phase == "body" and reader.announced_bytes > LARGE_BYTES and not self._reserved_bytes:
            self._reserved_bytes = reader.announced_bytes
            if not self._server.room.reserve(self, self._reserved_bytes):
                self._waits_for_room = True
                self._transport.pause_reading()
        if not self._serving:
            self._wind_clock()

    def _wind_clock(self) -> None:
        """The deadline of what is awaited from the client now."""
        limits, phase = self._server.limits, self._reader.phase
        seconds = {"idle": limits.keep_alive_seconds, "head": limits.head_seconds, "body": limits.body_seconds}[phase]
        self.deadline = float("inf") if self._waits_for_room else self._server.now() + seconds

    def _next(self) -> None:
        for _ in range(MAX_IN_A_ROW):
            if not self._queue or self._serving or self._client_is_full:
                return
            item = self._queue.popleft()
            if isinstance(item, Reply):
                self._refuse(item)
                return
            self._serve(item)
        self._server.call_soon(self._next)  # after the other connections

    def _read_on(self) -> None:
        if not (self._queue or self._waits_for_room or self._client_is_full):
            self._transport.resume_reading()

    def _serve(self, request: WholeRequest) -> None:
        server = self._server
        self._serving = request
        if server.gather(request.environ, request.body, partial(self.finish, request)):
            server.flush_soon()
        elif server.is_quick(request.environ, len(request.body)):
            self._answer(server.call(request))
        else:
            self.deadline = server.now() + server.limits.answer_seconds
            server.call_in_thread(self, request)

    def _answer(self, answer: Answer | Reply, *, last: bool = False) -> None:
        request, self._serving = self._serving, None
        assert request is not None
        keep = request.keep_alive and not last
        if self._server.draining or self._client_is_done:
            keep = keep and bool(self._queue)
        self._transport.writelines(render(answer, request.environ, keep_alive=keep))
        if not keep:
            self._queue.clear()
            self._transport.close()
            return
        if self._reader.phase == "idle":
            self._release()
            self.deadline = self._server.now() + self._server.limits.keep_alive_seconds
        else:  # the next request has begun, and may hold or await room of its own
            self._wind_clock()
        self._read_on()

    def _refuse(self, reply: Reply) -> None:
        """Answer without reading on: the client gets a moment to read that, then the connection closes."""
        self._transport.writelines(render(reply, {}, keep_alive=False))
        self._release()
        self._queue.clear()
        self._lingering = True
        self.deadline = self._server.now() + LINGER_SECONDS
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _release(self) -> None:
        if self._reserved_bytes:
            self._server.room.release(self, self._reserved_bytes)
            self._reserved_bytes, self._waits_for_room = 0, False
