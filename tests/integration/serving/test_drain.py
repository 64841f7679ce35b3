"""No request is lost: through SIGTERM, through the loss of a worker and through a restart on the same socket."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundle_maker import make_bundle
from tests.integration.serving.slow_model import SLOW_ROW, Gate, make_slow_bundle
from tests.parts import require_program
from tests.server_process import BODY, ServerProcess, head, listen, post, wait_until


class Endpoint:
    """A socket that outlives its servers, as a supervisor keeps it."""

    def __init__(self, folder: Path, bundle: tuple[Path, str], *options: str) -> None:
        self._folder, self._bundle, self.options = folder, bundle, ["--open", "--no-access-log", *options]
        self.listener = listen()
        self.servers: list[ServerProcess] = []

    def start(self, *, workers: int = 2) -> ServerProcess:
        """Not ready yet."""
        folder = self._folder / f"server-{len(self.servers)}"
        server = ServerProcess(folder, *self._bundle, *self.options, workers=workers, listener=self.listener)
        self.servers.append(server)
        return server

    def restart(self) -> None:
        """A second server on the socket; when it is ready the first one gets SIGTERM."""
        old = self.servers[-1]
        self.start().wait_until_ready()
        assert old.stop() == 0

    def end(self) -> None:
        for server in self.servers:
            server.stop()
        self.listener.close()


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    made = Endpoint(tmp_path, (tmp_path / "bundle", make_bundle(tmp_path / "bundle")))
    yield made
    made.end()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    made = Gate(tmp_path / "gate")
    yield made
    made.open()


@pytest.fixture
def slow(tmp_path: Path, gate: Gate) -> Iterator[Endpoint]:
    made = Endpoint(tmp_path, make_slow_bundle(tmp_path / "slow", gate))
    yield made
    gate.open()
    made.end()


def replace_a_worker(server: ServerProcess) -> None:
    before = {worker.pid for worker in server.workers()}
    os.kill(min(before), signal.SIGTERM)
    wait_until(lambda: min(before) not in {worker.pid for worker in server.workers()} and len(server.workers()) == 2)


def disturb(endpoint: Endpoint) -> None:
    """Everything that must lose no request."""
    replace_a_worker(endpoint.servers[-1])
    endpoint.restart()
    replace_a_worker(endpoint.servers[-1])


def load(endpoint: Endpoint, *options: str) -> tuple[dict[int, int], str]:
    """Disturb the endpoint under the load of `hey`; the answers by status, and the errors."""
    command = [
        require_program("hey"),
        "-z",
        "60s",
        "-c",
        "8",
        "-m",
        "POST",
        "-T",
        "application/json",
        "-d",
        BODY.decode(),
    ]
    address = f"http://127.0.0.1:{endpoint.servers[-1].port}/predict"
    generator = subprocess.Popen([*command, *options, address], stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: b'route="predict",status="200"' in endpoint.servers[-1].get("/metrics").body)
        disturb(endpoint)
    finally:
        generator.send_signal(signal.SIGINT)
        report = generator.communicate(timeout=30)[0]
    counts = {int(status): int(count) for status, count in re.findall(r"\[(\d+)\]\t(\d+) responses", report)}
    return counts, report.partition("Error distribution:")[2]


def test_no_request_is_lost_with_keep_alive_off(endpoint: Endpoint) -> None:
    endpoint.start().wait_until_ready()
    counts, errors = load(endpoint, "-disable-keepalive", "-q", "50")
    assert (set(counts), errors.strip()) == ({200}, "")


def test_no_answer_is_an_error_with_keep_alive_on(endpoint: Endpoint) -> None:
    endpoint.start().wait_until_ready()
    counts, _ = load(endpoint, "-q", "200")
    assert set(counts) == {200}


class Client(threading.Thread):
    """Keeps its connection, and sends again only when an idle one was closed, as RFC 9112 (9.3.1) allows."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port, self.going, self.answered, self.lost = port, True, 0, list[str]()

    def run(self) -> None:
        connection, was_used = self._connect(), False
        while self.going:
            try:
                connection.request("POST", "/predict", BODY, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.lost.append(str(answer.status))
                self.answered, was_used = self.answered + 1, not answer.will_close
                if answer.will_close:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                if not was_used:
                    self.lost.append(repr(error))
                connection, was_used = self._connect(), False

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)


def test_a_client_that_keeps_its_connection_and_sends_again_loses_nothing(endpoint: Endpoint) -> None:
    server = endpoint.start().wait_until_ready()
    clients = [Client(server.port) for _ in range(4)]
    for client in clients:
        client.start()
    wait_until(lambda: all(client.answered for client in clients))
    disturb(endpoint)
    for client in clients:
        client.going = False
    for client in clients:
        client.join()
    assert [client.lost for client in clients] == [[]] * len(clients)


def test_who_connects_before_the_server_is_ready_is_answered_when_it_is(endpoint: Endpoint) -> None:
    server = endpoint.start()
    with server.wire() as wire:
        wire.send(post())
        server.wait_until_ready()
        assert wire.answer().status == 200


def test_sigterm_awaits_the_rest_of_a_request_and_then_closes(endpoint: Endpoint) -> None:
    server = endpoint.start(workers=1).wait_until_ready()
    with server.wire() as begun, server.wire() as idle, server.wire() as queued:
        assert idle.send(post()).answer().status == 200
        begun.send(post()[:-1])
        assert server.ask().status == 200  # so the worker has read what was sent before
        server.process.terminate()
        assert idle.is_closed()
        answer = begun.send(BODY[-1:] + post()).answer()
        assert answer.status == 200
        queued.send(post())  # on a connection that was made before; perhaps it is closed by now
        assert begun.is_closed() or answer.headers.get("connection") != "close"
    assert server.process.wait(30) == 0


@pytest.mark.parametrize("victim", ["server", "worker"])
def test_sigterm_awaits_an_answer_that_is_being_made(slow: Endpoint, gate: Gate, victim: str) -> None:
    server = slow.start(workers=1).wait_until_ready()
    with server.wire() as wire:
        wire.send(post(SLOW_ROW) + post())
        gate.wait_for_request()
        [worker] = server.workers()
        (server.process if victim == "server" else worker).terminate()
        gate.open()
        assert [wire.answer().status, wire.answer().status] == [200, 200]
        assert wire.is_closed()
    wait_until(lambda: not worker.is_running())


def test_an_answer_that_takes_too_long_is_given_up_with_503_and_the_others_go_on(slow: Endpoint, gate: Gate) -> None:
    slow.options += ["--answer-seconds", "0.5"]
    server = slow.start(workers=1).wait_until_ready()
    with server.wire() as wire:
        wire.send(post(SLOW_ROW))
        gate.wait_for_request()
        assert server.ask().status == 200
        answer = wire.answer()
        assert (answer.status, answer.error) == (503, "the request took too long and was given up")
        assert wire.is_closed()
    assert server.ask().status == 200
    gate.open()
    assert server.ask(SLOW_ROW).status == 200


def test_a_client_that_goes_away_during_an_answer_leaves_no_trace(slow: Endpoint, gate: Gate) -> None:
    server = slow.start(workers=1).wait_until_ready()
    server.wire().send(post(SLOW_ROW)).reset()
    gate.wait_for_request()
    gate.open()
    assert server.ask(SLOW_ROW).status == 200
    assert server.stop() == 0
    assert not re.search("Traceback|Error", server.errors())


def test_large_bodies_wait_for_room_and_all_are_answered(slow: Endpoint, gate: Gate) -> None:
    """Six bodies of 15 MiB in a room of 64 MiB: the fifth is not read before another is answered."""
    server = slow.start(workers=1).wait_until_ready()
    size = 15 * 1024 * 1024
    wires = [server.wire().send(head(length=size) + BODY) for _ in range(6)]
    assert server.ask().status == 200
    senders = [threading.Thread(target=wire.send, args=(b" " * (size - len(BODY)),)) for wire in wires]
    for sender in senders:
        sender.start()
    assert [wire.answer().status for wire in wires] == [200] * 6
    for sender, wire in zip(senders, wires, strict=True):
        sender.join()
        wire.__exit__()


def test_a_worker_without_its_parent_ends(endpoint: Endpoint) -> None:
    server = endpoint.start().wait_until_ready()
    workers = server.workers()
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not any(worker.is_running() for worker in workers))
