"""64 connections through five rollouts and two rollbacks: no request is lost."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.container_endpoint import BODY, Endpoint, Version
from tests.http_client import Client
from tests.parts import require_program

RATE = "2"  # requests a second of each connection: the engine starts containers on the same two cores
PAUSE_SECONDS = 0.5  # of each careful client, for the same reason


@contextmanager
def load(endpoint: Endpoint, *options: str) -> Iterator[list[str]]:
    """hey with 64 connections, until told to stop; its report is in the list afterwards."""
    hey, report = require_program("hey"), list[str]()
    command = [hey, *options, "-z", "900s", "-c", "64", "-q", RATE, "-m", "POST", "-T", "application/json", "-d", BODY]
    process = subprocess.Popen(
        [*command, f"http://127.0.0.1:{endpoint.port}/predict"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield report
        process.send_signal(signal.SIGINT)
        report.append(process.communicate(timeout=60)[0])
    finally:
        process.kill()
        process.wait()


@contextmanager
def careful_clients(endpoint: Endpoint, count: int) -> Iterator[list[Client]]:
    """Clients that keep their connection and send again, as HTTP allows, when it was closed while idle."""
    url = f"http://127.0.0.1:{endpoint.port}"
    clients = [Client(url, keep_alive=True, pause_seconds=PAUSE_SECONDS) for _ in range(count)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.going = False
        for client in clients:
            client.join()


def statuses(report: str) -> dict[str, int]:
    return {code: int(count) for code, count in re.findall(r"\[(\d+)\]\s+(\d+) responses", report)}


def change_versions(endpoint: Endpoint, versions: list[Version]) -> None:
    """Five rollouts, each of another container, and two ways back to a kept one."""
    one, two = versions
    changes = [(two, 1.0), (one, 0.9), (two, 0.9), (one, 0.8), (one, 0.9), (two, 0.8), (one, 0.8)]
    kept = 0
    for version, cpus in changes:
        known = endpoint.spec(version, cpus=cpus).container in endpoint.containers()
        kept += known
        assert endpoint.roll_out(version, keep=3, cpus=cpus)[1]
        assert endpoint.ask()[1] == version.digest
    assert kept == 2


def test_no_request_is_lost(endpoint: Endpoint, versions: list[Version]) -> None:
    endpoint.roll_out(versions[0])
    with (
        load(endpoint, "-disable-keepalive") as without,
        load(endpoint) as with_keep_alive,
        careful_clients(endpoint, 64) as clients,
    ):
        change_versions(endpoint, versions)
    [report] = without
    assert list(statuses(report)) == ["200"], report
    assert "Error distribution" not in report, report
    assert statuses(report)["200"] > 500, report
    # hey gives a request up when its idle connection is closed; whether those requests are lost, the careful clients tell.
    [report] = with_keep_alive
    assert list(statuses(report)) == ["200"], report
    assert statuses(report)["200"] > 500, report
    assert [client.lost for client in clients if client.lost] == []
    assert min(client.asked for client in clients) > 20
    assert set.union(*(client.digests for client in clients)) == {version.digest for version in versions}
