"""`python -m model_server --bundle DIR --digest sha256:...`: gunicorn with threads around the application.

Behind a supervisor the listening socket comes as an inherited file descriptor (`--fd`), so that a new version accepts
from the very queue the old one accepted from, and no connection is lost between them. SIGTERM drains: the server takes no
new connection, answers what it has accepted, and ends.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from model_server.app import create_app
from model_server.bundle import open_bundle
from model_server.model import Model
from model_server.settings import Settings

DRAIN_SECONDS = 30


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, told by arguments instead of a configuration file."""

    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        self._settings, self._options = settings, options
        super().__init__()

    def load_config(self) -> None:
        """Hand the options to gunicorn."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Runs in each worker: check the bundle, load the model, replay the golden rows, make the application."""
        model = Model.load(open_bundle(self._settings.bundle, self._settings.digest))
        model.warm_up()
        return create_app(self._settings, model)


def main() -> None:
    """Serve until ended."""
    options = _parser().parse_args()
    settings = Settings(bundle=options.bundle, digest=options.digest)
    open_bundle(
        settings.bundle, settings.digest
    )  # a wrong bundle ends the start here, with one error and not one a worker
    Server(settings, _gunicorn_options(options)).run()


def _gunicorn_options(options: argparse.Namespace) -> dict[str, Any]:
    def tell_ready(_worker: Any) -> None:
        # gunicorn calls this when the worker has loaded the application: its golden rows were answered.
        if options.ready_fd is not None:
            os.write(options.ready_fd, b"1")

    return {
        "bind": f"fd://{options.fd}" if options.fd is not None else f"{options.host}:{options.port}",
        "workers": options.workers,
        "worker_class": "gthread",
        "threads": 8,
        "keepalive": 5,
        "graceful_timeout": DRAIN_SECONDS,
        "timeout": 60,
        "post_worker_init": tell_ready,
        "control_socket_disable": True,
        "proc_name": "slipway-model-server",
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="model_server", description="Serve one bundle.")
    parser.add_argument("--bundle", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--digest", required=True, help="sha256:<hex> of its manifest.json")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--fd", type=int, help="an inherited listening socket, instead of host and port")
    parser.add_argument("--ready-fd", type=int, help="gets one byte per worker that is ready")
    parser.add_argument("--workers", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
