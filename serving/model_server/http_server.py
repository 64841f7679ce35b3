"""What the connections of one worker share: the application, the limits, the threads, and the drain at the end."""

from __future__ import annotations

import asyncio
import errno
import io
import logging
import socket
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from model_server.heap import trim
from model_server.http_answer import Answer
from model_server.http_connection import Connection
from model_server.http_head import Environ, HeadCache, base_environ
from model_server.http_limits import HttpLimits
from model_server.message import Reply

if TYPE_CHECKING:
    from model_server.http_reader import WholeRequest

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.5
TRIM_SECONDS = 1.0
BACKLOG_REST_SECONDS = 0.1
DRAIN_LINGER_SECONDS = 1.0
QUICK_BYTES = 16 * 1024


class Room:
    """Bounds the memory that large bodies take: who finds no room waits in line, unread."""

    def __init__(self, size_bytes: int) -> None:
        self._free_bytes = self._size_bytes = size_bytes
        self._line: deque[tuple[Connection, int]] = deque()

    def reserve(self, connection: Connection, size_bytes: int) -> bool:
        """True: read on. False: `go_on_reading` will be called. One body alone always has room."""
        if not self._line and (size_bytes <= self._free_bytes or self._free_bytes == self._size_bytes):
            self._free_bytes -= size_bytes
            return True
        self._line.append((connection, size_bytes))
        return False

    def release(self, connection: Connection, size_bytes: int) -> None:
        """Give room back, or the place in the line."""
        if (connection, size_bytes) in self._line:
            self._line.remove((connection, size_bytes))
            return
        self._free_bytes += size_bytes
        while self._line and (self._line[0][1] <= self._free_bytes or self._free_bytes == self._size_bytes):
            waiting, wanted = self._line.popleft()
            self._free_bytes -= wanted
            waiting.go_on_reading()


class HttpServer:
    """Serves one WSGI application on one event loop.

    Args:
        app: the application. It may have `limits` (HttpLimits), `admit(environ)`, which gets a head before its body is read
            and returns the Reply that refuses it or None, `is_quick(environ, body_bytes)`, which says whether the request
            may be answered on the event loop, `gather(environ, body, send)` with `flush()`, which answer several at once,
            `note_refusal(environ, reply)`, which learns what was refused without it, and `close()`, called at the end.
        workers: processes that serve the same sockets.
    """

    def __init__(self, app: Callable[..., Any], *, workers: int = 1) -> None:
        self._app = app
        self._workers = workers
        self.limits: HttpLimits = getattr(app, "limits", HttpLimits())
        self.admit: Callable[[Environ], Reply | None] = getattr(app, "admit", lambda _environ: None)
        self.is_quick: Callable[[Environ, int], bool] = getattr(app, "is_quick", self._is_small)
        self.note_refusal: Callable[[Environ, Reply], None] = getattr(
            app, "note_refusal", lambda _environ, _reply: None
        )
        self.gather: Callable[..., bool] = getattr(app, "gather", lambda *_request: False)
        self._will_flush = self._may_trim = False
        self._next_trim = 0.0
        self.heads = HeadCache()
        self.room = Room(self.limits.room_bytes)
        self.connections: set[Connection] = set()
        self.draining = False
        self._threads = ThreadPoolExecutor(self.limits.threads, thread_name_prefix="answer")
        self._accepting: set[asyncio.Task[Any]] = set()

    def start(self, listeners: list[socket.socket]) -> None:
        """Accept on these sockets, on the running loop."""
        self._loop, self._listeners = asyncio.get_running_loop(), listeners
        self.now, self.call_soon = self._loop.time, self._loop.call_soon
        host, port = (*listeners[0].getsockname(), 0)[:2] if listeners else ("", 0)
        self.environ = base_environ(str(host), int(port), workers=self._workers)
        for listener in listeners:
            listener.setblocking(False)
        self._listen()

    def sweep(self) -> None:
        """End what is past its deadline, and give back what large requests took; to be called every SWEEP_SECONDS."""
        now = self.now()
        for connection in [each for each in self.connections if each.deadline < now]:
            connection.expire()
        if self._may_trim and now >= self._next_trim:
            # Again, if something is in hand: what it takes is not free yet.
            self._may_trim, self._next_trim = any(not each.is_idle() for each in self.connections), now + TRIM_SECONDS
            trim()

    async def drain(self, timeout_seconds: float) -> None:
        """Serve on for a moment for those who have not heard yet, answer what has been asked, then close."""
        self.draining = True
        patience, deadline = self.now() + DRAIN_LINGER_SECONDS, self.now() + timeout_seconds
        while self.now() < deadline:
            if self.now() > patience:
                self._stop_listening()
                for connection in [each for each in self.connections if each.is_idle()]:
                    connection.close()
            if not (self.connections or self._accepting or self._accept_queued()):
                break
            self.sweep()
            await asyncio.sleep(0.02)
        self._stop_listening()
        self._threads.shutdown(wait=False, cancel_futures=True)
        getattr(self._app, "close", lambda: None)()

    def _stop_listening(self) -> None:
        """Take what has connected, and have the kernel refuse what comes later: it would wait for us in vain."""
        self._accept_queued()
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self._listeners = []

    def _accept_queued(self) -> bool:
        """Take all that the kernel has queued; returns whether there was something."""
        taken = 0
        for listener in self._listeners:
            while self._accept_one(listener):
                taken += 1
        return taken > 0

    def flush_soon(self) -> None:
        """Have the application answer what it has gathered, once the loop has read what has arrived."""
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._will_flush = False
        self._app.flush()  # type: ignore[attr-defined]

    def call(self, request: WholeRequest) -> Answer:
        """The application's answer."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
            started[:] = (int(status[:3]), headers)

        request.environ["wsgi.input"] = io.BytesIO(request.body)
        request.environ["slipway.admitted"] = True
        try:
            parts = self._app(request.environ, start_response)
            body = parts[0] if type(parts) is list and len(parts) == 1 else _joined(parts)
            return Answer(started[0], started[1], body)
        except Exception:
            log.exception("the application failed at %s", request.environ.get("PATH_INFO"))
            return Answer(500, [("Content-Type", "application/json")], b'{"error": "internal error"}')

    def call_in_thread(self, connection: Connection, request: WholeRequest) -> None:
        """The same in a thread; the connection's `finish` gets it."""

        def done(future: Future[Answer]) -> None:
            if not future.cancelled():
                self._loop.call_soon_threadsafe(connection.finish, request, future.result())

        self._may_trim = True
        self._threads.submit(self.call, request).add_done_callback(done)

    def _is_small(self, _environ: Environ, body_bytes: int) -> bool:
        return body_bytes <= QUICK_BYTES

    def _listen(self) -> None:
        for listener in self._listeners:
            self._loop.add_reader(listener, self._accept_one, listener)

    def _accept_one(self, listener: socket.socket) -> bool:
        """One connection a turn of the loop: a busy worker leaves the next one to its siblings."""
        if len(self.connections) >= self.limits.connections:
            self._rest()
            return False
        try:
            client, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                raise
            self._rest()
            return False
        task = self._loop.create_task(self._loop.connect_accepted_socket(lambda: Connection(self), client))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
        return True

    def _rest(self) -> None:
        """Too many connections or files: let the kernel's queue hold the next ones for a moment."""
        for listener in self._listeners:
            self._loop.remove_reader(listener)
        self._loop.call_later(BACKLOG_REST_SECONDS, self._listen)


def _joined(parts: Any) -> bytes:
    try:
        return b"".join(parts)
    finally:
        if close := getattr(parts, "close", None):
            close()
