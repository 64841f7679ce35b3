"""What the tests of the target `docker` share: images of two versions, an endpoint of an own name, and a look at both."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from slipway.containers.engine_hook import DockerEngineHook
from slipway.rollout.docker.engine import DockerEngine
from slipway.rollout.docker.spec import ProxySpec, ServerSpec
from slipway.rollout.docker.target import ContainerEndpoint, DockerServing
from tests.docker_host import ENGINE_URL, NGINX_IMAGE, free_port

BODY = json.dumps({"features": [5.1, 3.5, 1.4, 0.2]})
ENGINE_CONNECTION = "engine_of_the_tests"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Version:
    """An image with a bundle inside."""

    image: str
    digest: str


@dataclass
class Endpoint:
    """One model's endpoint; every test has its own."""

    model: str
    port: int
    client: Any
    conn_id: str = ENGINE_CONNECTION
    proxy_image: str = NGINX_IMAGE

    def target(self) -> ContainerEndpoint:
        return ContainerEndpoint(self.engine(), self.model)

    def engine(self) -> DockerEngine:
        return DockerEngine(DockerEngineHook(self.conn_id), self.model)

    def spec(self, version: Version, **changes: Any) -> ServerSpec:
        made = ServerSpec(self.model, version.image, version.digest, 1, None, 512 * 1024**2, 1.0)
        return replace(made, **changes)

    def proxy(self) -> ProxySpec:
        return ProxySpec(self.model, self.proxy_image, "127.0.0.1", self.port)

    def roll_out(
        self, version: Version, *, keep: int = 1, timeout_seconds: float = 60, **changes: Any
    ) -> tuple[DockerServing, bool]:
        return self.target().ensure_serving(
            self.spec(version, **changes), self.proxy(), keep=keep, timeout_seconds=timeout_seconds
        )

    def ask(self, timeout_seconds: float = 10) -> tuple[int, str, Any]:
        """Status, Slipway-Bundle and answer of one prediction."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/predict", BODY.encode(), headers)
        with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
            return answer.status, answer.headers["Slipway-Bundle"], json.load(answer)

    def containers(self, role: str = "server") -> dict[str, str]:
        """State by name."""
        labels = [f"slipway.model={self.model}", f"slipway.role={role}"]
        found = self.client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
        return {each.name: each.status for each in found}

    def running(self) -> list[str]:
        return sorted(name for name, state in self.containers().items() if state == "running")

    def everything(self) -> list[str]:
        """The names of all that carries the model's label, and of the network that a killed attempt may have left."""
        wanted = {"label": [f"slipway.model={self.model}"]}
        return [
            *(each.name for each in self.client.containers.list(all=True, filters=wanted, ignore_removed=True)),
            *(each.name for each in self.client.networks.list(filters=wanted)),
            *(each.name for each in self.client.volumes.list(filters=wanted)),
        ]

    def remove(self) -> None:
        wanted = {"label": [f"slipway.model={self.model}"]}
        for container in self.client.containers.list(all=True, filters=wanted, ignore_removed=True):
            container.remove(force=True, v=True)
        for thing in (*self.client.networks.list(filters=wanted), *self.client.volumes.list(filters=wanted)):
            thing.remove()


@contextmanager
def endpoint_of_its_own(client: Any, conn_id: str = ENGINE_CONNECTION) -> Iterator[Endpoint]:
    os.environ[f"AIRFLOW_CONN_{ENGINE_CONNECTION.upper()}"] = json.dumps({"conn_type": "docker", "host": ENGINE_URL})
    made = Endpoint(f"test{os.getpid()}-{next(_numbers)}", free_port(), client, conn_id)
    try:
        yield made
    finally:
        made.remove()


def run_docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def wait_until_it_answers(endpoint: Endpoint, digest: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            assert endpoint.ask(timeout_seconds=5)[1] == digest
        except (OSError, http.client.HTTPException):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return
