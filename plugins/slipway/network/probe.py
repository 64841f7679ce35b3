"""Reaching a host step by step: name, TCP, TLS, HTTP, with the time of each. Standard library; no ICMP, which needs root."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

STEP_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Step:
    """One step of a probe: what it found, or why it failed; `milliseconds` is its round-trip time."""

    name: str
    ok: bool
    milliseconds: float
    detail: str

    def __str__(self) -> str:
        return f"{self.name}: {'ok' if self.ok else 'FAILED'}, {self.milliseconds:.1f} ms, {self.detail}"


def probe_url(url: str, timeout_seconds: float = STEP_TIMEOUT_SECONDS) -> list[Step]:
    """Probe ``http(s)://host[:port]`` from the name up; stops at the first step that fails."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    steps: list[Step] = []
    addresses = _run(steps, "dns", lambda: _resolve(host, port))
    connection = addresses and _run(steps, "tcp", lambda: _connect(addresses, timeout_seconds))
    if connection and secure:
        connection = _run(steps, "tls", lambda: _handshake(connection, host, timeout_seconds))
    if connection:
        _run(steps, "http", lambda: _request(connection, parts.netloc, parts.path or "/"))
        connection.close()
    return steps


def _run(steps: list[Step], name: str, action: Callable[[], tuple[Any, str]]) -> Any:
    """Take one step, note it, and return what it made, or None if it failed."""
    began = time.perf_counter()
    try:
        made, detail = action()
    except (OSError, http.client.HTTPException, ValueError) as error:
        steps.append(Step(name, False, _since(began), str(error) or type(error).__name__))
        return None
    steps.append(Step(name, True, _since(began), detail))
    return made


def _resolve(host: str, port: int) -> tuple[list[Any], str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return found, f"{host} is {', '.join(sorted({str(item[4][0]) for item in found}))}"


def _connect(addresses: list[Any], timeout_seconds: float) -> tuple[socket.socket, str]:
    last: OSError | None = None
    for family, kind, protocol, _, address in addresses:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(timeout_seconds)
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            last = OSError(f"{address[0]} port {address[1]}: {error.strerror or error}")
            continue
        return connection, f"connected to {address[0]} port {address[1]}"
    raise last or OSError("no address")


def _handshake(connection: socket.socket, host: str, timeout_seconds: float) -> tuple[socket.socket, str]:
    connection.settimeout(timeout_seconds)
    secure = ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    certificate = secure.getpeercert() or {}
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (expires - datetime.now(UTC)).days
    return secure, f"{secure.version()}, certificate good for {days} days (until {expires:%Y-%m-%d})"


def _request(connection: socket.socket, host: str, path: str) -> tuple[int, str]:
    connection.sendall(f"HEAD {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = http.client.HTTPResponse(connection, method="HEAD")
    answer.begin()
    # Any answer proves the way; whether we may do something there is the credentials' question.
    return answer.status, f"answers with status {answer.status}"


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
