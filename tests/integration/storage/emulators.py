"""S3 and Google Cloud Storage on loopback sockets, strict where their emulators are lax.

Neither emulator makes check and write one step, and `gcp-storage-emulator` does not look at generation preconditions at all,
so a compare-and-swap race against either would test the emulator. Here moto handles one request at a time, and a proxy
before the Google emulator enforces ``ifGenerationMatch`` and adds the ``X-Goog-Generation`` header, as the real services do.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import boto3
from gcp_storage_emulator.server import create_server
from moto.server import ThreadedMotoServer


class OneAtATime:
    """A WSGI application whose requests follow one another."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app, self._lock = app, threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        with self._lock:
            return list(self._app(environ, start_response))


@contextmanager
def aws() -> Iterator[str]:
    """Moto on a free loopback port, empty: what it keeps, it keeps for the whole process; yields its URL."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    server._server.app = OneAtATime(server._server.app)  # type: ignore[union-attr, assignment]
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        reset_aws(url)
        yield url
    finally:
        server.stop()


def aws_connection(url: str, **extra: Any) -> str:
    """An Airflow connection to moto, as AIRFLOW_CONN_... takes it."""
    settings = {"region_name": "us-east-1", "endpoint_url": url, **extra}
    return json.dumps({"conn_type": "aws", "login": "key", "password": "secret", "extra": settings})


def aws_client(url: str, service: str) -> Any:
    """A boto3 client of the test's own, to look at the state that was reached."""
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", **keys)


def reset_aws(url: str) -> None:
    """Forget every bucket and group."""
    _post(url, "/moto-api/reset")


def demand_known_keys(url: str) -> None:
    """From the next request on, moto refuses access keys that it did not issue; ends with `allow_any_keys`."""
    _post(url, "/moto-api/reset-auth", b"0")


def allow_any_keys(url: str) -> None:
    """Back to accepting any access key."""
    _post(url, "/moto-api/reset-auth", b"Infinity")


def _post(url: str, path: str, body: bytes = b"") -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("POST", path, body)
    assert connection.getresponse().status == 200
    connection.close()


@contextmanager
def google(bucket: str) -> Iterator[str]:
    """Google Cloud Storage with one bucket on a free loopback port; yields its URL."""
    emulator = create_server("127.0.0.1", 0, in_memory=True, default_bucket=bucket)
    emulator.start()
    upstream = f"127.0.0.1:{emulator._api._httpd.server_address[1]}"
    proxy = _GenerationProxy(upstream)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        emulator.stop()


class _GenerationProxy(ThreadingHTTPServer):
    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.upstream, self.lock = upstream, threading.Lock()


class _Forward(BaseHTTPRequestHandler):
    server: _GenerationProxy
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.lock:  # check and write are one step
            if self._breaks_condition(body):
                return self._reply(412, [], json.dumps({"error": {"code": 412, "message": "conditionNotMet"}}).encode())
            status, headers, answer = self._ask(self.command, self.path, body, dict(self.headers))
            if "alt=media" in self.path and status in {200, 206}:
                headers.append(("X-Goog-Generation", self._generation(b"")))
        return self._reply(status, headers, answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _forward  # noqa: N815

    def _breaks_condition(self, body: bytes) -> bool:
        expected = parse_qs(urlsplit(self.path).query).get("ifGenerationMatch")
        if not expected or (found := self._generation(body)) == expected[0]:
            return False
        return self.command != "DELETE" or found != "0"  # deleting what is gone is 404, whatever the condition

    def _generation(self, body: bytes) -> str:
        """The generation of the object the request is about; 0: there is none."""
        parts = urlsplit(self.path)
        bucket, _, name = parts.path.partition("/b/")[2].partition("/o")
        name = unquote(name.removeprefix("/")) or self._uploaded_name(parts.query, body)
        found = self._ask("GET", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}", b"", {})
        return str(json.loads(found[2])["generation"]) if found[0] == 200 else "0"

    @staticmethod
    def _uploaded_name(query: str, body: bytes) -> str:
        if given := parse_qs(query).get("name"):
            return given[0]
        metadata = body.decode(errors="replace").partition("\r\n\r\n")[2]
        return str(json.JSONDecoder().raw_decode(metadata)[0]["name"])

    def _ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        connection.request(method, path, body or None, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        dropped = {"connection", "content-length", "transfer-encoding", "date", "server"}
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in dropped]
        data = answer.read()
        connection.close()
        return answer.status, kept, data

    def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Keep the test's output quiet."""


def google_connection() -> str:
    """An Airflow connection without credentials, as the emulator wants it."""
    return json.dumps({"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "test"}})
