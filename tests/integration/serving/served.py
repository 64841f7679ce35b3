"""A bundle behind a real server process, as it is started where it is deployed: by this Python, or in a container.

The tests of the image set SLIPWAY_TEST_SERVER_IMAGE, and every test that uses `served` then asks a container of that image.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.docker_host import ENGINE_URL

SERVING = Path(__file__).parents[3] / "serving"
START_SECONDS = 60
IMAGE = os.environ.get("SLIPWAY_TEST_SERVER_IMAGE", "")


@contextmanager
def served(bundle: Path, digest: str, *options: str, **environment: str) -> Iterator[str]:
    """Serve `bundle` on a free port until the block ends; yields host:port.

    Args:
        options: of the command line, instead of ``--open``; ``serve`` as the first is SageMaker's word.
        environment: variables besides this process's own, e.g. Vertex AI's.
    """
    port = environment.get("AIP_HTTP_PORT") or str(free_port())
    command = _container(IMAGE, bundle, environment) if IMAGE else [sys.executable, "-m", "model_server"]
    command += [*(options or ["--open"]), "--bundle", str(bundle), "--digest", digest, "--workers", "1"]
    command += [] if "AIP_HTTP_PORT" in environment else ["--port", port]
    log = bundle.with_name(f"{bundle.name}-{port}.log")
    with running(command, f"127.0.0.1:{port}", log, SERVING, environment) as address:
        yield address


def _container(image: str, bundle: Path, environment: dict[str, str]) -> list[str]:
    """The command that runs the server in a container, which may write nothing, and listens where a process would."""
    for path in (bundle.parent, bundle, *bundle.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)  # the image's user is none of this machine's
    command = ["docker", "-H", ENGINE_URL, "run", "--rm", "--network", "host", "--read-only", "--cap-drop", "ALL"]
    command += ["-v", f"{bundle.parent}:{bundle.parent}:ro"]
    for name, value in environment.items():
        command += ["-e", f"{name}={value}"]
    return [*command, image]


@contextmanager
def running(
    command: list[str], address: str, log: Path, folder: Path, environment: dict[str, str] | None = None
) -> Iterator[str]:
    """A server process from its readiness to its end; yields its address."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | (environment or {}), stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        wait_until_ready(address, process, log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        finally:
            process.kill()


def wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until `/v2/health/ready` says 200; raises AssertionError with the process's own words if it never does."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_ready(address):
            return
        time.sleep(0.05)
    raise AssertionError(f"{' '.join(map(str, process.args))} is not ready:\n{log.read_text()[-3000:]}")  # type: ignore[arg-type]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _is_ready(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
