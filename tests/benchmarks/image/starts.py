"""From asking for a container to its first answer."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.docker_host import free_port

STARTS = 9
NETWORK = "slipway-bench-image"
READY_SECONDS = 30


def start_seconds(client: Any, image: str, digest: str, progress: Callable[[str], None]) -> list[tuple[float, float]]:
    """Of each start, after one that warms the page cache: seconds until the container runs, and until it is ready."""
    network = client.networks.create(NETWORK)
    try:
        starts = []
        for number in range(STARTS + 1):
            starts.append(_start(client, image, digest))
            progress(f"start {number}: running after {starts[-1][0]:.2f} s, ready after {starts[-1][1]:.2f} s")
        return starts[1:]
    finally:
        network.remove()


def _start(client: Any, image: str, digest: str) -> tuple[float, float]:
    port = free_port()
    began = time.perf_counter()
    with _container(client, image, digest, port) as container:
        running = time.perf_counter() - began
        while not _is_ready(port):
            if time.perf_counter() - began > READY_SECONDS:
                raise RuntimeError(f"{image} is not ready: {container.logs().decode()[-2000:]}")
            time.sleep(0.005)
        return running, time.perf_counter() - began


@contextlib.contextmanager
def _container(client: Any, image: str, digest: str, port: int) -> Iterator[Any]:
    container = client.containers.run(
        image,
        ["serve", "--open"],
        environment={"SLIPWAY_BUNDLE_DIGEST": digest},
        detach=True,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        network=NETWORK,
        ports={"8080/tcp": ("127.0.0.1", port)},
    )
    try:
        yield container
    finally:
        container.remove(force=True)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == 200
    return False
