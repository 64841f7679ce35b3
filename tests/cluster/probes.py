"""Probes of a container as the kubelet makes them: by HTTP or by a connection, counted, with its texts."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("Startup", "Readiness", "Liveness")


@dataclass(frozen=True)
class Probe:
    """One probe's settings, with the API's defaults."""

    path: str | None
    port: int
    headers: Mapping[str, str]
    delay_seconds: float
    period_seconds: float
    timeout_seconds: float
    successes: int
    failures: int

    def ask(self, address: str) -> str | None:
        """None if it succeeds, else why not, in the kubelet's words."""
        if self.path is None:
            return self._connect(address)
        url = f"http://{address}:{self.port}{self.path}"
        connection = http.client.HTTPConnection(address, self.port, timeout=self.timeout_seconds)
        try:
            connection.request("GET", self.path, headers={"User-Agent": "kube-probe/1.34", **self.headers})
            status = connection.getresponse().status
        except TimeoutError:
            return f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        except (OSError, http.client.HTTPException) as error:
            return f'Get "{url}": {self._words(error, address)}'
        finally:
            connection.close()
        return None if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"

    def _connect(self, address: str) -> str | None:
        try:
            socket.create_connection((address, self.port), self.timeout_seconds).close()
        except OSError as error:
            return self._words(error, address)
        return None

    def _words(self, error: Exception, address: str) -> str:
        if isinstance(error, ConnectionRefusedError):
            return f"dial tcp {address}:{self.port}: connect: connection refused"
        if isinstance(error, http.client.RemoteDisconnected):
            return "EOF"
        if isinstance(error, ConnectionResetError):
            return f"read tcp {address}:{self.port}: read: connection reset by peer"
        return f"dial tcp {address}:{self.port}: {error}"


def find_probe(container: Mapping[str, Any], kind: str) -> Probe | None:
    """A container's probe of a kind of `KINDS`."""
    spec = container.get(f"{kind.lower()}Probe")
    if spec is None:
        return None
    asked = spec.get("httpGet") or spec["tcpSocket"]
    return Probe(
        asked.get("path", "/") if "httpGet" in spec else None,
        _port(container, asked["port"]),
        {header["name"]: header["value"] for header in asked.get("httpHeaders", [])},
        spec.get("initialDelaySeconds", 0),
        spec.get("periodSeconds", 10),
        spec.get("timeoutSeconds", 1),
        spec.get("successThreshold", 1),
        spec.get("failureThreshold", 3),
    )


def _port(container: Mapping[str, Any], port: int | str) -> int:
    if isinstance(port, int):
        return port
    return next(int(each["containerPort"]) for each in container["ports"] if each.get("name") == port)


class Tally:
    """A probe's answers since the container's start: `passed` changes only after as many in a row as are wanted."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.passed: bool | None = None
        self.due = time.monotonic() + probe.delay_seconds
        self._last: bool | None = None
        self._in_a_row = 0

    def add(self, succeeded: bool) -> None:
        self._in_a_row = self._in_a_row + 1 if succeeded == self._last else 1
        self._last = succeeded
        if self._in_a_row >= (self.probe.successes if succeeded else self.probe.failures):
            self.passed = succeeded
        self.due = max(self.due + self.probe.period_seconds, time.monotonic())
