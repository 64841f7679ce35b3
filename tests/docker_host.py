"""A real Docker engine and a real registry for the tests that need them."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.containers.engine_address import EngineAddress
from slipway.containers.engine_hook import DockerEngineHook
from tests.parts import miss, require_program

PYTHON_IMAGE = "python:3.11-slim-bookworm"
NGINX_IMAGE = "nginx:1.28-bookworm"
ENGINE_URL = os.environ.get("SLIPWAY_TEST_DOCKER_URL", "unix:///var/run/docker.sock")

_REGISTRY = """
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: "{folder}"}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}
"""


def require_engine(*images: str) -> Any:
    """A client of the Docker engine, which has these images; without it the test is skipped, or fails in the gate."""
    import docker

    try:
        client = docker.DockerClient(base_url=ENGINE_URL, timeout=60)
        client.ping()
    except docker.errors.DockerException as error:
        miss(f"needs a Docker engine at {ENGINE_URL} (bash .ci/engine): {error}")
    for image in images:
        try:
            client.images.get(image)
        except docker.errors.ImageNotFound:
            miss(f"needs the image {image} (docker pull {image}; where no registry can be reached: bash .ci/images)")
    return client


def engine_hook() -> DockerEngineHook:
    """The hook of that engine, without an Airflow connection."""
    hook = DockerEngineHook("none")
    hook.address = EngineAddress(ENGINE_URL)  # a cached property: as if it had been read
    return hook


@dataclass
class Registry:
    """A registry process on a loopback port; `address` is what image names begin with."""

    address: str
    folder: Path
    process: subprocess.Popen[bytes]

    def blob_path(self, digest: str) -> Path:
        """The file that holds a blob."""
        name = digest.removeprefix("sha256:")
        return self.folder / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"


@contextlib.contextmanager
def registry(
    folder: Path, *, user: str | None = None, password: str | None = None, auth: str = "", port: int = 0
) -> Iterator[Registry]:
    """Debian's docker-registry, keeping its blobs below `folder`.

    With `user` it wants that log-in; `auth` is a whole section of its configuration instead.
    """
    program = require_program("docker-registry")
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    if user is not None:
        import bcrypt

        hashed = bcrypt.hashpw((password or "").encode(), bcrypt.gensalt(4)).decode()
        (folder / "htpasswd").write_text(f"{user}:{hashed}\n")
        auth = f'htpasswd: {{realm: test, path: "{folder / "htpasswd"}"}}'
    (folder / "config.yml").write_text(
        _REGISTRY.format(folder=folder / "data", port=port, auth=f"auth: {{{auth}}}" if auth else "")
    )
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}/v2/", process, folder / "log")
        yield Registry(f"127.0.0.1:{port}", folder / "data", process)
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return  # it answers; that it wants a log-in is another matter
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the registry did not start: {log.read_text()[-500:]}")


_given: set[int] = set()


def free_port() -> int:
    """A loopback port that is free now and was not given before.

    None of those that the kernel gives to outgoing connections (from 32768): one of them may be taken before it is used.
    """
    for _ in range(1000):
        port = 10000 + secrets.randbelow(15000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port
    raise AssertionError("no free port from 10000 to 24999")
