"""The server's processes: gunicorn with our worker class around the application.

Behind a supervisor the listening socket comes as an inherited file descriptor (`--fd`), so that a new version accepts
from the very queue the old one accepted from, and no connection is lost between them. SIGTERM drains: the server takes no
new connection, answers what it has accepted, and ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from model_server.bundle import Bundle, open_bundle
from model_server.errors import ServerError
from model_server.options import Options, parse
from model_server.service import Service

DRAIN_SECONDS = 30


class _Arbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's parent process."""

    def spawn_workers(self) -> None:
        """Start the workers that are missing, at once: gunicorn waits up to 0.1 s after each, which every start would pay."""
        for _ in range(self.num_workers - len(self.WORKERS)):
            self.spawn_worker()


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, told by arguments instead of a configuration file."""

    def __init__(self, options: Options, service: Service) -> None:
        self._options, self._service = options, service
        self._rows: dict[int, int] = {}  # worker's age -> its row of the metrics
        super().__init__()

    def load_config(self) -> None:
        """Hand the options to gunicorn."""
        options = self._options
        settings = {
            "bind": f"fd://{options.fd}" if options.fd is not None else f"{options.host}:{options.port}",
            "workers": options.workers,
            "worker_class": "model_server.http_worker.HttpWorker",
            "backlog": 1024,
            # Where the heartbeat's files lie: in memory, which is there also where no file system may be written.
            "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108
            "graceful_timeout": DRAIN_SECONDS,
            "timeout": 120,
            "pre_fork": self._give_row,
            "child_exit": self._free_row,
            "post_worker_init": self._tell_ready,
            "control_socket_disable": True,
            "proc_name": "slipway-model-server",
            "loglevel": "warning",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Serve until ended; what keeps gunicorn from starting is one line on stderr and exit code 1."""
        try:
            _Arbiter(self).run()
        except RuntimeError as error:
            sys.stderr.write(f"error: {error}\n")
            sys.exit(1)

    def load(self) -> Any:
        """Runs in each worker: load the model, replay the golden rows, make the application."""
        return self._service.application()

    def _give_row(self, _server: Any, worker: Any) -> None:
        free = set(range(2 * self._options.workers)) - set(self._rows.values())
        self._service.row = self._rows[worker.age] = min(free, default=0)

    def _free_row(self, _server: Any, worker: Any) -> None:
        self._rows.pop(worker.age, None)

    def _tell_ready(self, _worker: Any) -> None:
        # gunicorn calls this when the worker has loaded the application: its golden rows were answered.
        if self._options.ready_fd is not None:
            # Whoever started the server need not listen any more when a worker is replaced.
            with contextlib.suppress(OSError):
                os.write(self._options.ready_fd, b"1")


def serve(arguments: list[str]) -> int:
    """Serve until ended; a wrong option or bundle is one line on stderr and exit code 1."""
    try:
        options = parse(arguments, os.environ)
        bundle: Bundle = open_bundle(options.bundle, options.digest)
        service = Service(bundle, options.settings, workers=options.workers)
    except ServerError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    Server(options, service).run()
    return 0
