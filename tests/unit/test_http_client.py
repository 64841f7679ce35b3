"""The client of the load tests: it sends again what HTTP lets it, and nothing else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from tests.http_client import BODY, Client

GOOD = b"HTTP/1.1 200 OK\r\nSlipway-Bundle: x\r\nContent-Length: 2\r\n\r\n{}"
BAD, HALF = GOOD.replace(b"200 OK", b"503 No"), GOOD[:-1]


def serve(listener: socket.socket, connections: list[list[bytes]]) -> None:
    """Each connection gets its answers, one a request, and is closed after half an answer or a request too many."""
    for answers in connections:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):  # the client has ended
            for answer in [*answers, b""]:
                read_request(connection)
                connection.sendall(answer)
                if answer == HALF:
                    break


def read_request(connection: socket.socket) -> None:
    data = b""
    while not data.endswith(BODY.encode()) and (part := connection.recv(65536)):
        data += part


@pytest.mark.parametrize(
    ("connections", "lost"),
    [
        ([[GOOD], [GOOD, GOOD]], 0),  # closed while idle: sent again
        ([[], [GOOD, GOOD]], 1),  # a new connection: lost
        ([[GOOD, HALF], [GOOD]], 1),  # half an answer: lost
        ([[GOOD], [], [GOOD]], 1),  # sent again once only
        ([[BAD, GOOD]], 1),
    ],
)
def test_what_is_lost(connections: list[list[bytes]], lost: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener, connections), daemon=True)
        server.start()
        client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", keep_alive=True, pause_seconds=0.05)
        client.start()
        deadline = time.monotonic() + 20
        while client.asked < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        found = list(client.lost)[:2]
        client.going = False
    assert client.asked >= 2
    assert len(found) == lost
