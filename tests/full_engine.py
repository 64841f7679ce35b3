"""A stand-in for a Docker engine whose disk is full: it answers a pull as Docker's own does then."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

# What dockerd 20.10 said when its data folder was a tmpfs of 60 MB.
FULL = (
    "failed to register layer: Error processing tar file(exit status 1): write /usr/bin/perl: no space left on device"
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(200, {"ApiVersion": "1.41", "Version": "20.10.24"})

    def do_POST(self) -> None:
        self._say(200, {"status": "Pulling fs layer", "id": "1"}, {"errorDetail": {"message": FULL}, "error": FULL})

    def _say(self, status: int, *values: object) -> None:
        """The values as a stream: one piece of the body each."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        for value in values:
            line = json.dumps(value).encode() + b"\r\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@contextlib.contextmanager
def full_engine(path: Path) -> Iterator[str]:
    """Its address."""
    with socketserver.ThreadingUnixStreamServer(str(path), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
