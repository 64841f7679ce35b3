"""Start a server, wait for its first right answer, end it with all its processes."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.serving.payloads import Request

START_SECONDS = 90
STOP_SECONDS = 10
POLL_SECONDS = 0.01


class ServerError(Exception):
    """It does not start, or does not answer as it should; the text says how."""


@dataclass(frozen=True)
class Running:
    """A started server: its first process, its address, and the seconds from spawning it to its first right answer."""

    process: psutil.Process
    url: str
    cold_start_seconds: float


@contextlib.contextmanager
def running(
    command: Sequence[str], variables: dict[str, str], port: int, folder: Path, check: Callable[[str], None]
) -> Iterator[Running]:
    """Run a server for the length of the block.

    Args:
        command: what is run, in `folder`, where its output goes to server.log.
        variables: its whole environment.
        check: asks the server at the URL it is given; raises OSError while nobody listens, ServerError for a wrong answer.

    Raises:
        ServerError: it ended, or gave no right answer within 90 s.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    began = time.perf_counter()
    with log.open("wb") as output:
        # A session of its own: the whole group can be ended, and an interrupt from the terminal does not reach it first.
        child = subprocess.Popen(
            command, env=variables, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    process, url = psutil.Process(child.pid), f"http://127.0.0.1:{port}"
    try:
        _wait(child, url, check, log)
        yield Running(process, url, time.perf_counter() - began)
    finally:
        stop(child, process)


def stop(child: subprocess.Popen[bytes], process: psutil.Process) -> None:
    """SIGTERM to the first process, and after 10 s SIGKILL to whichever of the tree is left."""
    tree = family(process)
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(STOP_SECONDS)
    _, left = psutil.wait_procs(tree, timeout=1)
    for survivor in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            survivor.kill()
    child.wait()
    psutil.wait_procs(left, timeout=STOP_SECONDS)


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all below it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def post(url: str, request: Request) -> tuple[bytes, dict[str, str]]:
    """Body and headers (lower case) of the answer.

    Raises:
        ServerError: another status than 200.
        OSError: nobody listens, or the connection broke.
    """
    asked = urllib.request.Request(url + request.path, data=request.body, headers=request.headers)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.read(), {name.lower(): value for name, value in answer.headers.items()}
    except urllib.error.HTTPError as error:
        text = " ".join(error.read().decode(errors="replace").split())
        raise ServerError(f"{error.code} to {request.path}: {text[:160]}") from error
    except http.client.HTTPException as error:
        raise ServerError(f"no HTTP from {request.path}: {error!r}") from error


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in sockets]


def plain_environment() -> dict[str, str]:
    """The little of ours that a server needs; no PYTHONPATH, no settings of Airflow."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _wait(child: subprocess.Popen[bytes], url: str, check: Callable[[str], None], log: Path) -> None:
    ends, seen = time.monotonic() + START_SECONDS, "nobody listens"
    while time.monotonic() < ends:
        if child.poll() is not None:
            raise ServerError(f"ended with {child.returncode}: {_tail(log)}")
        try:
            return check(url)
        except (OSError, ServerError) as error:
            seen = str(error)
        time.sleep(POLL_SECONDS)
    raise ServerError(f"no right answer within {START_SECONDS} s, last: {seen}; {_tail(log)}")


def _tail(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:])[-400:]
