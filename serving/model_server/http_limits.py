"""Time and size limits of the HTTP layer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HttpLimits:
    """What a client may take.

    Attributes:
        head_seconds: from the first byte of a head, or from the connection, to the head's end.
        body_seconds: from the head's end to the body's end.
        answer_seconds: what a thread may take to answer; then the client gets 503.
        keep_alive_seconds: how long a connection may be idle.
        max_body_bytes: of one request.
        room_bytes: of all large bodies that are being read or answered at once.
        threads: that answer what the event loop does not.
        connections: at once; more wait in the kernel's queue.
    """

    head_seconds: float = 10
    body_seconds: float = 30
    answer_seconds: float = 60
    keep_alive_seconds: float = 75
    max_body_bytes: int = 16 * 1024 * 1024
    room_bytes: int = 64 * 1024 * 1024
    threads: int = 1
    connections: int = 1024
