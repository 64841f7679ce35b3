"""Generation preconditions for the Google Cloud Storage emulator, which does not enforce them.

A small HTTP proxy in front of it: a request with ``ifGenerationMatch`` is let through only if the object's current
generation is that number (0: there is no object), one such request at a time; else the answer is 412, as the service gives.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class GenerationProxy(ThreadingHTTPServer):
    """Listens on a free loopback port, in a thread of its own."""

    daemon_threads = True

    def __init__(self, emulator_port: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.emulator_port, self.one_at_a_time = emulator_port, threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Passes requests on."""

    protocol_version = "HTTP/1.1"
    server: GenerationProxy

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.one_at_a_time:
            wanted = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("ifGenerationMatch")
            if wanted and self.command != "GET" and int(wanted[0]) != self.generation(body):
                self.answer(412, {"Content-Type": "application/json"}, b'{"error": {"message": "conditionNotMet"}}')
                return
            status, headers, data = self.forward(self.command, self.path, body, dict(self.headers))
            if status == 200 and wanted and self.command == "POST":
                # The service names the new generation in its answer; the emulator does so only for some uploads.
                data = json.dumps({**json.loads(data), "generation": str(self.generation(body))}).encode()
            self.answer(status, headers, data)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any  # noqa: N815

    def generation(self, body: bytes) -> int:
        """The current generation of the object that the request is about, 0 if there is none."""
        if found := re.match(r"(?:/upload)?/storage/v1/b/([^/]+)/o/?([^?]*)", self.path):
            bucket, name = found[1], urllib.parse.unquote(found[2]) or self.name_of_upload(body)
        path = f"/storage/v1/b/{bucket}/o/{urllib.parse.quote(name, safe='')}"
        status, _, data = self.forward("GET", path, b"", {})
        return int(json.loads(data)["generation"]) if status == 200 else 0

    def name_of_upload(self, body: bytes) -> str:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        if "name" in query:
            return query["name"][0]
        return str(json.loads(re.search(rb"\{.*?\}", body, re.DOTALL)[0])["name"])  # type: ignore[index]

    def forward(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.emulator_port, timeout=30)
        passed = {name: text for name, text in headers.items() if name.lower() not in {"host", "accept-encoding"}}
        connection.request(method, path, body, passed)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), data

    def answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, text in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "server", "date"}:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""
