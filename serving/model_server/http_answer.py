"""An answer as bytes: status line, headers, body, framed by its length (RFC 9112)."""

from __future__ import annotations

import time
from email.utils import formatdate
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
        answer = Answer(answer.status, [("Content-Type", answer.content_type), *answer.headers], answer.body)
    status, headers, body = answer
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} ", f"Date: {_date()}"]
    is_head = environ.get("REQUEST_METHOD") == "HEAD"
    lines += [f"{name}: {value}" for name, value in headers if is_head or name.lower() != "content-length"]
    if not is_head and status not in _WITHOUT_BODY:
        lines.append(f"Content-Length: {len(body)}")
    if not keep_alive:
        lines.append("Connection: close")
    elif environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        lines.append("Connection: keep-alive")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a response header holds a line break")
    encoded = f"{head}\r\n\r\n".encode("latin-1")
    return [encoded] if is_head or not body else [encoded, body]


_now = (0, "")


def _date() -> str:
    """The Date header, made once a second."""
    global _now  # noqa: PLW0603  one clock for the process
    second = int(time.time())
    if second != _now[0]:
        _now = (second, formatdate(second, usegmt=True))
    return _now[1]
