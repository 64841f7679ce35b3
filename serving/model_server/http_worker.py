"""The gunicorn worker class that serves on an event loop: `gunicorn -k model_server.http_worker.HttpWorker app:app`.

gunicorn keeps the processes: it starts, watches and replaces workers, holds the sockets and passes signals on. This class
is what one of its workers does: uvloop's event loop (asyncio's own where there is none) around an `HttpServer`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from gunicorn.workers.base import Worker

from model_server.heap import share_arenas
from model_server.http_server import SWEEP_SECONDS, HttpServer


class HttpWorker(Worker):  # type: ignore[misc]
    """One worker process."""

    def init_signals(self) -> None:
        """The loop handles signals; gunicorn's own set-up would interrupt it at any point."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    def run(self) -> None:
        """Serve until told to stop, then drain."""
        try:
            import uvloop

            loop = uvloop.new_event_loop()
        except ImportError:
            loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._serve(loop))
        finally:
            loop.close()

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        self._stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        for number in (signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, self._quit)
        share_arenas()
        server = HttpServer(self.wsgi, workers=self.cfg.workers)
        server.start([listener.sock for listener in self.sockets])
        beat = loop.create_task(self._beat(server))
        await self._stopped.wait()
        await server.drain(self.cfg.graceful_timeout)
        beat.cancel()

    async def _beat(self, server: HttpServer) -> None:
        """Tell gunicorn that the loop turns, and end what has taken too long; without a parent, stop."""
        while True:
            self.notify()
            server.sweep()
            if os.getppid() != self.ppid:
                self._stop()
            await asyncio.sleep(SWEEP_SECONDS)

    def _stop(self) -> None:
        self.alive = False
        self._stopped.set()

    def _quit(self) -> None:
        self.cfg.worker_int(self)
        sys.exit(0)
