"""Endpoints that answer the golden rows as a test wants them to, over real sockets."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], bytes]


@contextmanager
def endpoint(reply: Callable[[str, Any], Reply], port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that answers a POST with ``reply(path, body)``; yields its URL."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, body = reply(self.path, asked)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Keep the test's output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Answer)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def as_trained(
    golden: dict[str, Any], digest: str, classes: list[Any] | None, **changes: Any
) -> Callable[[str, Any], Reply]:
    """Replies what training predicted, except for `changes` of the body; keys sorted as text, as the server's are."""

    def reply(path: str, asked: Any) -> Reply:
        assert asked == {"features": golden["rows"]}
        body: dict[str, Any] = {"prediction": golden["predictions"]}
        if path == "/predict?probabilities=true":
            names = [label if isinstance(label, str) else str(label).lower() for label in classes or ()]
            body["probabilities"] = [dict(zip(names, row, strict=True)) for row in golden["probabilities"]]
        return 200, {"Slipway-Bundle": digest}, json.dumps({**body, **changes}, sort_keys=True).encode()

    return reply
