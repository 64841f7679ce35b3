"""Connections to a pod through the API server's port-forward, with the official client's websocket."""

from __future__ import annotations

import asyncio
import http.client
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import kmock
import pytest
from aiohttp import WSMsgType, web

from slipway.cluster.api import Cluster
from slipway.cluster.port_forward import PortForward, open_port
from slipway.cluster.tunnel import forwarded
from slipway.core.errors import DeniedError, SlipwayError, UnavailableError
from tests.kube_api import NAMESPACE, KubeApi, Reply, not_found, raw, status

PATH = f"/api/v1/namespaces/{NAMESPACE}/pods/iris-0/portforward"
PORT = 8080

Pod = Callable[[web.WebSocketResponse], Awaitable[None]]


def serving(api: KubeApi, pod: Pod) -> None:
    """Port-forward as a kubelet does: each channel begins with the port's number, then the pod has it."""

    async def answer(request: kmock.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",), timeout=0.1)
        await websocket.prepare(raw(request))
        assert request.params["ports"] == str(PORT)
        assert websocket.ws_protocol == "v4.channel.k8s.io"
        for channel in (0, 1):
            await websocket.send_bytes(bytes((channel,)) + struct.pack("<H", PORT))
        await pod(websocket)
        await websocket.close()
        return websocket

    api.on("GET", PATH, answer)


async def http_pod(websocket: web.WebSocketResponse) -> None:
    """Answers each request with its own path and body, and keeps the connection."""
    received = b""
    async for message in websocket:
        if message.type is not WSMsgType.BINARY or message.data[0] != 0:
            return
        received += message.data[1:]
        head, end, body = received.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
        if not end or len(body) < length:
            continue
        said, received = head.split()[1] + b" " + body[:length], b""
        await websocket.send_bytes(b"\0HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said))
        for start in range(0, len(said), 30_000):
            await websocket.send_bytes(b"\0" + said[start : start + 30_000])


def ask(url: str, path: str, body: bytes = b"") -> bytes:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("POST", path, body)
    try:
        return connection.getresponse().read()
    finally:
        connection.close()


def dial(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture
def no_thread_stays() -> Iterator[None]:
    before = {thread.ident for thread in threading.enumerate()}
    yield
    left = [thread.name for thread in threading.enumerate() if thread.ident not in before and "tunnel" in thread.name]
    assert left == []


pytestmark = pytest.mark.usefixtures("no_thread_stays")


def test_requests_reach_the_pod_with_our_credentials(api: KubeApi, cluster: Cluster) -> None:
    serving(api, http_pod)
    with forwarded(cluster, "iris-0", PORT) as url:
        assert url.startswith("http://127.0.0.1:")
        assert ask(url, "/predict", b"x" * 300_000) == b"/predict " + b"x" * 300_000
    assert {request.headers["Authorization"] for request in api.asked} == {"Bearer token-of-slipway"}
    with pytest.raises(ConnectionRefusedError):
        dial(url)


def test_a_connection_is_kept_for_several_requests(api: KubeApi, cluster: Cluster) -> None:
    serving(api, http_pod)
    with forwarded(cluster, "iris-0", PORT) as url:
        before = len(api.asked)
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        for path in ("/a", "/b"):
            connection.request("GET", path)
            assert connection.getresponse().read() == path.encode() + b" "
        connection.close()
        assert len(api.asked) == before + 1


def test_several_connections_at_once(api: KubeApi, cluster: Cluster) -> None:
    together = threading.Barrier(6)

    def one(url: str, number: int) -> bytes:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        connection.connect()
        together.wait(10)  # all are open before any asks
        connection.request("GET", f"/{number}")
        answer = connection.getresponse().read()
        connection.close()
        return answer

    serving(api, http_pod)
    with forwarded(cluster, "iris-0", PORT) as url, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: one(url, number), range(6)))
    assert answers == [b"/%d " % number for number in range(6)]


def test_a_caller_that_has_ended_its_side_still_gets_the_whole_answer(api: KubeApi, cluster: Cluster) -> None:
    answer_now = threading.Event()

    async def pod(websocket: web.WebSocketResponse) -> None:
        message = await websocket.receive()
        if message.type is WSMsgType.BINARY:
            await asyncio.to_thread(answer_now.wait, 5)
            await websocket.send_bytes(b"\0you said " + message.data[1:])

    serving(api, pod)
    with forwarded(cluster, "iris-0", PORT) as url, dial(url) as connection:
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        answer_now.set()
        assert read_all(connection) == b"you said hello"


def test_what_the_pod_sent_before_it_ended_arrives_at_a_slow_reader(api: KubeApi, cluster: Cluster) -> None:
    size = 8 << 20

    async def pod(websocket: web.WebSocketResponse) -> None:
        message = await websocket.receive()
        if message.type is WSMsgType.BINARY:
            for _ in range(size // 32768):
                await websocket.send_bytes(b"\0" + b"x" * 32768)

    serving(api, pod)
    with forwarded(cluster, "iris-0", PORT) as url, dial(url) as connection:
        connection.sendall(b"all")
        first = connection.recv(1)
        time.sleep(0.1)  # every buffer in between is full by now
        assert len(first + read_all(connection)) == size


def test_a_connection_that_nobody_ends_after_the_caller_did_is_given_up(api: KubeApi, cluster: Cluster) -> None:
    async def pod(websocket: web.WebSocketResponse) -> None:
        async for _ in websocket:
            pass

    serving(api, pod)
    websocket, (near, far), (stop, stopper) = (
        open_port(cluster, "iris-0", PORT),
        socket.socketpair(),
        socket.socketpair(),
    )
    far.close()
    began = time.monotonic()
    PortForward(near, websocket, stop, after_end_seconds=0.1).run()
    assert 0.1 <= time.monotonic() - began < 5
    for end in (near, stop, stopper):
        end.close()
    websocket.shutdown()


def test_leaving_ends_connections_that_are_open(api: KubeApi, cluster: Cluster) -> None:
    got, ended = threading.Event(), threading.Event()

    async def pod(websocket: web.WebSocketResponse) -> None:
        async for message in websocket:
            assert message.data == b"\0hello"
            got.set()
        if got.is_set():  # not the first connection, by which the pod was tried
            ended.set()

    serving(api, pod)
    with forwarded(cluster, "iris-0", PORT) as url:
        connection = dial(url)
        connection.sendall(b"hello")
        assert got.wait(5)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert read_all(connection) == b""
    assert ended.wait(5)
    connection.close()


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (not_found("pods", "iris-0"), UnavailableError, 'pods "iris-0" not found. It may have ended'),
        (
            status(400, "BadRequest", "pod iris-0 does not have a host assigned"),
            UnavailableError,
            "does not have a host assigned",
        ),
        (
            status(
                403,
                "Forbidden",
                'pods "iris-0" is forbidden: User "jane" cannot create resource "pods/portforward" in API group "" in the '
                'namespace "models"',
            ),
            DeniedError,
            "jane may not create pods/portforward in namespace models",
        ),
        (Reply(502, b"<html>bad gateway</html>"), UnavailableError, "502 bad gateway"),
    ],
)
def test_a_pod_that_cannot_be_reached_is_said_at_the_start(
    api: KubeApi, cluster: Cluster, answer: Reply, kind: type[SlipwayError], said: str
) -> None:
    api.on("GET", PATH, answer)
    with pytest.raises(kind) as caught, forwarded(cluster, "iris-0", PORT):
        pytest.fail("there is no tunnel")
    assert said in str(caught.value)
    assert "Pod/iris-0 port 8080 in models (staging)" in str(caught.value)


def test_an_api_that_does_not_answer_is_said(api: KubeApi) -> None:
    from kubernetes.client import ApiClient, Configuration

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    cluster = Cluster(ApiClient(Configuration(host=f"http://127.0.0.1:{port}")), NAMESPACE, "staging")
    with pytest.raises(UnavailableError, match="Connection refused"), forwarded(cluster, "iris-0", PORT):
        pytest.fail("there is no tunnel")


def test_a_port_that_the_pod_refuses_is_why_the_request_failed(api: KubeApi, cluster: Cluster) -> None:
    said = "error forwarding port 8080 to pod 1f, uid : dial tcp4 127.0.0.1:8080: connect: connection refused"

    async def pod(websocket: web.WebSocketResponse) -> None:
        message = await websocket.receive()
        if message.type is WSMsgType.BINARY:
            await websocket.send_bytes(b"\1" + said.encode())

    serving(api, pod)
    with (
        pytest.raises(UnavailableError, match=r"dial tcp4 127\.0\.0\.1:8080: connect: connection refused") as caught,
        forwarded(cluster, "iris-0", PORT) as url,
    ):
        ask(url, "/predict")
    assert isinstance(caught.value.__cause__, http.client.RemoteDisconnected)


def test_a_pod_that_goes_while_it_is_asked_is_unavailable(api: KubeApi, cluster: Cluster) -> None:
    def ask_twice() -> None:
        with forwarded(cluster, "iris-0", PORT) as url:
            assert ask(url, "/predict") == b"/predict "
            api.on("GET", PATH, not_found("pods", "iris-0"))
            ask(url, "/predict")

    serving(api, http_pod)
    with pytest.raises(UnavailableError, match='pods "iris-0" not found'):
        ask_twice()


def test_an_error_of_the_block_that_is_not_the_tunnels_stays(api: KubeApi, cluster: Cluster) -> None:
    serving(api, http_pod)
    with pytest.raises(ZeroDivisionError), forwarded(cluster, "iris-0", PORT):
        raise ZeroDivisionError
    with pytest.raises(FileNotFoundError), forwarded(cluster, "iris-0", PORT):
        raise FileNotFoundError


def test_the_cluster_goes_on_being_read_meanwhile(api: KubeApi, cluster: Cluster) -> None:
    serving(api, http_pod)
    with forwarded(cluster, "iris-0", PORT) as url, ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(cluster.find, "Deployment", "iris") for _ in range(40)]
        asked = [pool.submit(ask, url, "/p") for _ in range(10)]
        assert [one.result(10) for one in reads] == [None] * 40
        assert [one.result(10) for one in asked] == [b"/p "] * 10


def test_through_tls_as_a_real_cluster_has_it(api: KubeApi, tls_address: str, certificate: tuple[str, str]) -> None:
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration(host=tls_address)
    configuration.ssl_ca_cert = certificate[0]
    cluster, body = Cluster(ApiClient(configuration), NAMESPACE, "staging"), b"x" * 1_000_000
    serving(api, http_pod)
    assert cluster.find("Deployment", "iris") is None
    with forwarded(cluster, "iris-0", PORT) as url:
        for _ in range(3):
            assert ask(url, "/predict", body) == b"/predict " + body


def test_a_pod_that_speaks_first_is_heard_through_tls(
    api: KubeApi, tls_address: str, certificate: tuple[str, str]
) -> None:
    from kubernetes.client import ApiClient, Configuration

    async def pod(websocket: web.WebSocketResponse) -> None:
        await websocket.send_bytes(b"\0welcome")
        async for _ in websocket:
            pass

    configuration = Configuration(host=tls_address)
    configuration.ssl_ca_cert = certificate[0]
    serving(api, pod)
    with forwarded(Cluster(ApiClient(configuration), NAMESPACE), "iris-0", PORT) as url, dial(url) as connection:
        assert connection.recv(7) == b"welcome"
