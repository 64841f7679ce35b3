"""An answer as bytes: status line, headers, body, framed by its length (RFC 9112)."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from model_server.http_head import Environ
from model_server.message import Reply

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}
_WITHOUT_BODY = {204, 304}


class Answer(NamedTuple):
    """What a WSGI application gave."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def render(answer: Answer | Reply, environ: Environ, *, keep_alive: bool) -> list[bytes]:
    """Head and body to be written.

    Args:
        answer: its own Content-Length counts only where there is no body to measure (HEAD).
        environ: of the request; empty for one that was never read whole.
        keep_alive: whether the connection stays open.

    Raises:
        ValueError: a header holds a line break.
    """
    if isinstance(answer, Reply):
        headers: tuple[tuple[str, str], ...] = (("Content-Type", answer.content_type), *answer.headers)
    else:
        headers = tuple(answer.headers)
    connection = "keep-alive" if environ.get("SERVER_PROTOCOL") == "HTTP/1.0" else ""
    length = -1 if environ.get("REQUEST_METHOD") == "HEAD" else len(answer.body)
    head = _head(answer.status, headers, length, connection if keep_alive else "close", int(time.time()))
    return [head, answer.body] if length > 0 else [head]


@lru_cache(maxsize=512)
def _head(status: int, headers: tuple[tuple[str, str], ...], length: int, connection: str, second: int) -> bytes:
    """The head; most are alike within one second. `length` is -1 where there is no body to measure."""
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} ", f"Date: {formatdate(second, usegmt=True)}"]
    lines += [f"{name}: {value}" for name, value in headers if length < 0 or name.lower() != "content-length"]
    if length >= 0 and status not in _WITHOUT_BODY:
        lines.append(f"Content-Length: {length}")
    if connection:
        lines.append(f"Connection: {connection}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a response header holds a line break")
    return f"{head}\r\n\r\n".encode("latin-1")
