"""The model server as its own process on a loopback port, and clients that speak to it byte by byte."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psutil

SERVING = Path(__file__).parents[1] / "serving"
READY_SECONDS = 60
ROW = [5.1, 3.5, 1.4, 0.2]
BODY = json.dumps({"features": ROW}).encode()


class Answer(NamedTuple):
    """Header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        return str(json.loads(self.body)["error"])


def listen() -> socket.socket:
    """A listening socket on a free loopback port, to be inherited by servers."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    return listener


class ServerProcess:
    """One running server; everything it writes is kept in `folder`."""

    def __init__(
        self, folder: Path, bundle: Path, digest: str, *options: str, workers: int = 2, listener: socket.socket
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = listener.getsockname()[1]
        self._workers, self._out, self._err = workers, folder / "stdout", folder / "stderr"
        self._ready, ready = os.pipe()
        command = [sys.executable, "-m", "model_server", "--bundle", str(bundle), "--digest", digest]
        command += ["--fd", str(listener.fileno()), "--ready-fd", str(ready), "--workers", str(workers), *options]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command, cwd=SERVING, pass_fds=(listener.fileno(), ready), stdout=out, stderr=err
            )
        os.close(ready)

    def wait_until_ready(self) -> ServerProcess:
        """Every worker has answered its golden rows; afterwards nobody reads the pipe any more."""
        told, deadline = 0, time.monotonic() + READY_SECONDS
        while told < self._workers:
            assert select.select([self._ready], [], [], deadline - time.monotonic())[0], self.errors()
            said = os.read(self._ready, 64)
            assert said, self.errors()
            told += len(said)
        os.close(self._ready)
        return self

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def access_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._out.read_bytes().splitlines()]

    def errors(self) -> str:
        return self._err.read_text()

    def ask(self, body: bytes = BODY, **headers: str) -> Answer:
        return ask(self.port, body, **headers)

    def get(self, path: str, **headers: str) -> Answer:
        return request(self.port, "GET", path, None, headers)

    def wire(self) -> Wire:
        return Wire(self.port)

    def stop(self) -> int:
        """Drain it; its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def request(port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


def ask(port: int, body: bytes = BODY, path: str = "/predict", **headers: str) -> Answer:
    given = {"Content-Type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
    return request(port, "POST", path, body, given)


def head(*lines: str, length: int | None = None, path: str = "/predict", version: str = "1.1") -> bytes:
    """The head of a POST; `lines` are more headers."""
    named = [f"POST {path} HTTP/{version}", "Host: localhost", "Content-Type: application/json", *lines]
    if length is not None:
        named.append(f"Content-Length: {length}")
    return ("\r\n".join(named) + "\r\n\r\n").encode("latin-1")


def post(body: bytes = BODY, *lines: str, path: str = "/predict", version: str = "1.1") -> bytes:
    """A whole POST."""
    return head(*lines, length=len(body), path=path, version=version) + body


class Wire:
    """A raw connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._stream = self._socket.makefile("rb")
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, data: bytes) -> Wire:
        self._socket.sendall(data)
        return self

    def send_what_it_takes(self, data: bytes) -> Wire:
        """The server may refuse and close before all has been sent."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(data)
        return self

    def half_close(self) -> Wire:
        self._socket.shutdown(socket.SHUT_WR)
        return self

    def reset(self) -> None:
        """Go away without a goodbye."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.__exit__()

    def answer(self, *, without_body: bool = False) -> Answer:
        """The next answer."""
        status_line = self._stream.readline()
        assert status_line, "the server closed the connection without an answer"
        headers = {}
        while line := self._stream.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        status = int(status_line.split()[1])
        size = 0 if without_body or status < 200 else int(headers["content-length"])
        return Answer(status, headers, self._stream.read(size))

    def has_data(self, timeout_seconds: float) -> bool:
        """Whether something came, within that time."""
        return bool(select.select([self._socket], [], [], timeout_seconds)[0])

    def drain(self) -> int:
        """Read to the end; how many bytes that were."""
        size = 0
        with contextlib.suppress(ConnectionError):
            while part := self._stream.read1(1 << 20):
                size += len(part)
        return size

    def is_closed(self) -> bool:
        """Waits for the server's end; False if bytes come instead."""
        try:
            return self._stream.read(1) == b""
        except ConnectionError:
            return True


def wait_until(condition: Callable[[], object], timeout_seconds: float = 30) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
