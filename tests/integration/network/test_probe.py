"""Probing real local servers, step by step."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from slipway.network.probe import probe_url
from tests.integration.network.local_servers import certificate, serving


def steps_of(url: str) -> list[tuple[str, bool]]:
    return [(step.name, step.ok) for step in probe_url(url)]


def test_a_plain_server_is_reached_in_three_steps() -> None:
    with serving() as url:
        steps = probe_url(url)
    port = url.rpartition(":")[2]
    assert [(step.name, step.ok) for step in steps] == [("dns", True), ("tcp", True), ("http", True)]
    assert [step.detail for step in steps] == [
        "127.0.0.1 is 127.0.0.1",
        f"connected to 127.0.0.1 port {port}",
        "answers with status 404",
    ]
    assert all(step.milliseconds > 0 for step in steps)


def test_a_step_reads_as_one_line_of_the_log() -> None:
    with serving() as url:
        line = str(probe_url(url)[1])
    assert re.fullmatch(r"tcp: ok, \d+\.\d ms, connected to 127\.0\.0\.1 port \d+", line)


def test_a_trusted_certificate_tells_how_long_it_is_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path / "server.pem", days=30)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with serving(pem) as url:
        steps = probe_url(url)
    assert [(step.name, step.ok) for step in steps] == [("dns", True), ("tcp", True), ("tls", True), ("http", True)]
    assert re.fullmatch(r"TLSv1\.[23], certificate good for 30 days \(until \d{4}-\d\d-\d\d\)", steps[2].detail)


def test_a_certificate_nobody_vouches_for_stops_at_tls(tmp_path: Path) -> None:
    with serving(certificate(tmp_path / "server.pem", days=30)) as url:
        steps = probe_url(url)
    assert [(step.name, step.ok) for step in steps] == [("dns", True), ("tcp", True), ("tls", False)]
    assert "self-signed certificate" in steps[-1].detail


def test_an_expired_certificate_stops_at_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path / "server.pem", days=-1)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with serving(pem) as url:
        last = probe_url(url)[-1]
    assert (last.name, last.ok) == ("tls", False)
    assert "certificate has expired" in last.detail


def test_a_closed_port_stops_at_tcp() -> None:
    steps = probe_url("http://127.0.0.1:9")
    assert [(step.name, step.ok) for step in steps] == [("dns", True), ("tcp", False)]
    assert steps[-1].detail == "127.0.0.1 port 9: Connection refused"


def test_an_unknown_name_stops_at_dns() -> None:
    steps = probe_url("http://no-such-host.invalid")
    assert [(step.name, step.ok) for step in steps] == [("dns", False)]


def test_a_server_that_says_nothing_stops_at_http_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        steps = probe_url(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.3)
    assert [(step.name, step.ok) for step in steps] == [("dns", True), ("tcp", True), ("http", False)]
    assert "timed out" in steps[-1].detail


def test_a_server_that_speaks_something_else_stops_at_http() -> None:
    import threading

    with socket.create_server(("127.0.0.1", 0)) as ssh:

        def greet() -> None:
            connection, _ = ssh.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        threading.Thread(target=greet, daemon=True).start()
        last = probe_url(f"http://127.0.0.1:{ssh.getsockname()[1]}")[-1]
    assert (last.name, last.ok) == ("http", False)
    assert "SSH-2.0" in last.detail


def test_ipv6_is_reached_too() -> None:
    import threading
    from http.server import ThreadingHTTPServer

    from tests.integration.network.local_servers import Hello

    class V6(ThreadingHTTPServer):
        address_family = socket.AF_INET6

    try:
        server = V6(("::1", 0), Hello)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert steps_of(f"http://[::1]:{server.server_address[1]}") == [("dns", True), ("tcp", True), ("http", True)]
    server.shutdown()
    server.server_close()
