"""Clients that take their time, on a server whose patience is short."""

from __future__ import annotations

import pytest

from tests.integration.serving.conftest import Start
from tests.server_process import BODY, ServerProcess, head, post, wait_until

PATIENCE = ["--head-seconds", "0.5", "--body-seconds", "0.5", "--idle-seconds", "0.5"]


@pytest.fixture(scope="module")
def server(start: Start) -> ServerProcess:
    return start("--open", *PATIENCE)


@pytest.mark.parametrize(
    "part",
    [b"P", head()[:-2], head(length=10), head(length=10) + b"123", head("Transfer-Encoding: chunked") + b"5\r\nab"],
    ids=["first byte", "head", "no body", "half a body", "half a chunk"],
)
def test_what_does_not_arrive_in_time_is_answered_with_408(server: ServerProcess, part: bytes) -> None:
    with server.wire() as wire:
        answer = wire.send(part).answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert wire.is_closed()
    assert server.ask().status == 200


def test_a_trickle_does_not_buy_time(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.send(head(length=1_000_000))
        while not wire.has_data(0.05):
            wire.send_what_it_takes(b"x")
        assert wire.answer().status == 408
    assert server.ask().status == 200


@pytest.mark.parametrize("before", [b"", post()], ids=["new", "used"])
def test_an_idle_connection_is_closed_without_a_word(server: ServerProcess, before: bytes) -> None:
    with server.wire() as wire:
        if before:
            assert wire.send(before).answer().status == 200
        assert wire.is_closed()


def test_a_slow_request_behind_others_has_its_own_time(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.send(post() * 3 + post()[:-3])
        assert [wire.answer().status for _ in range(4)] == [200, 200, 200, 408]


def test_many_slow_clients_hold_up_nobody(server: ServerProcess) -> None:
    wires = [server.wire().send(head(length=100) + b"x" * (number % 99)) for number in range(200)]
    assert all(server.ask().status == 200 for _ in range(20))
    assert all(wire.answer().status == 408 for wire in wires)
    for wire in wires:
        wire.__exit__()


def test_a_client_that_does_not_read_is_let_go(start: Start) -> None:
    """It asks for far more than the kernel's buffers hold and never reads; the others are answered."""
    server = start("--open", *PATIENCE, workers=1)
    ask_page = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    [worker] = server.workers()
    with server.wire() as wire:
        wire.send_what_it_takes(ask_page * 3000)
        assert server.ask(BODY).status == 200
        wait_until(lambda: wire.port not in {each.raddr.port for each in worker.net_connections() if each.raddr})
        assert wire.drain() < 3000 * len(server.get("/openapi.json").body)
    assert server.ask().status == 200
