"""Logs and port-forward of pods, through the real client and a kubelet that a test makes."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client as kubernetes_client
from kubernetes.client import ApiException
from kubernetes.stream import portforward

from tests.cluster import Cluster
from tests.cluster.status import StatusError
from tests.unit.cluster_standin.conftest import PODS, Client, pod


class _Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            self.wfile.write(line.upper())


class EchoKubelet:
    """Pods that echo on port 7, and have written what a test says."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.written = "one\ntwo\nthree\n"
        self.read = threading.Event()

    def logs(self, pod: dict[str, Any], container: str = "", *, previous: bool = False) -> str:
        self.read.set()
        if previous:
            text = f'previous terminated container "{container}" in pod "{pod["metadata"]["name"]}" not found'
            raise StatusError(400, text)
        return self.written

    def open_port(self, pod: dict[str, Any], port: int) -> tuple[str, int]:
        if port != 7:
            raise StatusError(500, f"failed to connect to localhost:{port}: connection refused")
        return self._address


@pytest.fixture
def kubelet(cluster: Cluster, client: Client) -> Iterator[EchoKubelet]:
    client.call("POST", PODS, pod(nodeName="node"))
    running = [{"name": "server", "state": {"running": {}}}]
    cluster.store.set_status("Pod", "models", "p", {"phase": "Running", "containerStatuses": running})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        made = EchoKubelet(("127.0.0.1", server.server_address[1]))
        cluster.kubelet = made
        yield made
        server.shutdown()


def forward(cluster: Cluster, folder: Path, ports: str) -> Any:
    """The real client patches its API object for a stream, so each has one of its own."""
    api = kubernetes_client.CoreV1Api(Client(cluster, folder).api)
    return portforward(api.connect_get_namespaced_pod_portforward, "p", "models", ports=ports)


def test_bytes_go_through_a_forwarded_port(cluster: Cluster, tmp_path: Path, kubelet: EchoKubelet) -> None:
    forwarded = forward(cluster, tmp_path, "7")
    connection = forwarded.socket(7)
    connection.settimeout(10)
    with connection.makefile("rwb") as file:
        for text in (b"hello\n", b"x" * 300_000 + b"\n"):
            file.write(text)
            file.flush()
            assert file.readline() == text.upper()
    connection.close()
    assert forwarded.error(7) is None


def test_a_port_that_nothing_listens_on_is_an_error_of_its_channel(
    cluster: Cluster, tmp_path: Path, kubelet: EchoKubelet
) -> None:
    forwarded = forward(cluster, tmp_path, "8")
    connection = forwarded.socket(8)
    connection.settimeout(10)
    assert connection.recv(1) == b""
    assert "error forwarding port 8 to pod" in forwarded.error(8)


def test_logs_are_read_by_container_and_lines(client: Client, kubelet: EchoKubelet) -> None:
    api = kubernetes_client.CoreV1Api(client.api)
    for query, text in (({}, kubelet.written), ({"container": "server", "tail_lines": 1}, "three\n")):
        response = api.read_namespaced_pod_log("p", "models", _preload_content=False, **query)
        assert response.data.decode() == text
    for wrong, text in (
        ({"previous": True}, 'previous terminated container "server" in pod "p" not found'),
        ({"container": "other"}, "container other is not valid for pod p"),
    ):
        with pytest.raises(ApiException) as caught:
            api.read_namespaced_pod_log("p", "models", **wrong)
        assert (caught.value.status, json.loads(caught.value.body)["message"]) == (400, text)


def test_logs_are_followed_until_the_container_ends(client: Client, cluster: Cluster, kubelet: EchoKubelet) -> None:
    api = kubernetes_client.CoreV1Api(client.api)
    response = api.read_namespaced_pod_log("p", "models", follow=True, timestamps=True, _preload_content=False)
    lines = iter(response)
    assert next(lines).endswith(b" one\n")
    kubelet.written += "four\n"
    read: list[bytes] = []
    while not any(line.endswith(b" four\n") for line in read):
        read.append(next(lines))
    terminated = [{"name": "server", "state": {"terminated": {"exitCode": 0}}}]
    cluster.store.set_status("Pod", "models", "p", {"phase": "Succeeded", "containerStatuses": terminated})
    assert list(lines) == []
