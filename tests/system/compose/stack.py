"""docker-compose.yaml as it is, on a real engine: under a project name, ports and volumes of its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import runpy
import shutil
import socket
import subprocess
import time
import urllib.parse
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from slipway.core.errors import UnavailableError
from slipway.local.airflow_api import AirflowApi
from slipway.local.delivery import wait_for_dag
from tests.docker_host import free_port, require_engine
from tests.parts import require_program

ROOT = Path(__file__).parents[3]
BUILT = "slipway-airflow"
UP_SECONDS = 600


def compose_file() -> dict[str, Any]:
    """docker-compose.yaml, parsed."""
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    return parsed


def pulled_images() -> list[str]:
    """The images that the file does not build."""
    images = [service["image"] for service in compose_file()["services"].values()]
    return sorted({image for image in images if BUILT not in image})


@dataclass(frozen=True)
class Stack:
    """One project of docker-compose.yaml."""

    project: str
    settings: dict[str, str]
    env_file: Path
    engine: Any

    @classmethod
    def prepare(cls, folder: Path) -> Stack:
        """Its `.env`, with the secrets that `make compose-env` would write, and DAGs of its own; nothing is started."""
        engine = require_engine("python:3.11-slim-bookworm", *pulled_images())
        require_program("docker-compose")
        shutil.copytree(ROOT / "dags", folder / "dags")
        with_secrets = runpy.run_path(str(ROOT / ".compose" / "make_env.py"))["with_secrets"]
        ports = ("AIRFLOW_PORT", "CLOUD_PORT", "REGISTRY_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
        choices = {name: str(free_port()) for name in ports} | {
            "SERVING_PORTS": free_range(4),
            "SLIPWAY_DAGS": str(folder / "dags"),
            "SLIPWAY_AIRFLOW_IMAGE": f"{BUILT}:test",
            "LOST_TASK_SECONDS": "40",  # a task tells every 5 s that it lives, on a busy machine less often
        }
        text = with_secrets((ROOT / ".env.example").read_text())
        (folder / ".env").write_text(text + "".join(f"{name}={value}\n" for name, value in choices.items()))
        lines = [line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#")]
        settings = {name: value for name, _, value in lines} | choices
        return cls(f"slipway-test-{os.getpid()}", settings, folder / ".env", engine)

    def compose(self, *arguments: str, timeout_seconds: float = UP_SECONDS) -> str:
        """`docker-compose ...` for this project; returns what it printed."""
        command = ["docker-compose", "-p", self.project, "--env-file", str(self.env_file), *arguments]
        # What this process has under such a name is not for the stack: compose would prefer it to the env file.
        theirs = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
        environment = {name: value for name, value in os.environ.items() if name not in theirs}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout_seconds, check=False
        )
        assert done.returncode == 0, f"{arguments}: {(done.stdout + done.stderr)[-4000:]}"
        return done.stdout

    def build(self) -> None:
        """The image of the Airflow parts; .ci/run may be about to make the same one, which then is waited for."""
        lock = ROOT / "build" / "airflow-image.lock"
        lock.parent.mkdir(exist_ok=True)
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.compose("build", "prepare", timeout_seconds=900)

    def up(self) -> None:
        """`up -d`, and wait until every health check is green and what runs once has ended well."""
        self.compose("up", "-d")
        deadline = time.monotonic() + UP_SECONDS
        while states := {name: state for name, state in self.states().items() if state not in {"healthy", "exited 0"}}:
            assert time.monotonic() < deadline, f"not up: {states}\n{self.logs(states)}"
            assert not [state for state in states.values() if state.startswith("exited")], self.logs(states)
            time.sleep(1)

    def states(self) -> dict[str, str]:
        """`healthy`, `starting`, `exited <code>` ... by container name."""
        return {container.name: _state(container) for container in self.containers()}

    def containers(self, service: str | None = None) -> list[Any]:
        """All containers of the project, or of one service."""
        labels = [f"com.docker.compose.project={self.project}"]
        labels += [f"com.docker.compose.service={service}"] if service else []
        found: list[Any] = self.engine.containers.list(all=True, filters={"label": labels})
        return found

    def container(self, hostname: str) -> Any:
        """The container that a task instance names as its host."""
        [found] = [container for container in self.containers() if container.id.startswith(hostname)]
        return found

    def logs(self, names: Any) -> str:
        """The last lines of these containers."""
        return "\n".join(
            f"--- {container.name}\n{container.logs(tail=15).decode(errors='replace')}"
            for container in self.containers()
            if container.name in names
        )

    def url(self, name: str) -> str:
        """Where a port is published: `AIRFLOW_PORT` and so on."""
        return f"http://127.0.0.1:{self.settings[name]}"

    def airflow(self) -> AirflowApi:
        """Airflow's API, as the admin."""
        return AirflowApi(self.url("AIRFLOW_PORT"), "admin", self.settings["ADMIN_PASSWORD"])

    def connection_to_cloud(self) -> str:
        """The stand-in cloud as this machine reaches it, as an Airflow connection."""
        extra = {"region_name": "us-east-1", "endpoint_url": self.url("CLOUD_PORT")}
        return json.dumps({"conn_type": "aws", "login": "stand-in", "password": "stand-in", "extra": extra})

    def copy_model(self, name: str, *replacements: tuple[str, str]) -> None:
        """A model like iris under another name."""
        models = Path(self.settings["SLIPWAY_DAGS"]) / "models"
        text = (ROOT / "dags" / "models" / "iris.yaml").read_text()
        for old, new in (("model: iris", f"model: {name}"), ("iris-serving", f"{name}-serving"), *replacements):
            assert old in text, old
            text = text.replace(old, new)
        (models / f"{name}.yaml").write_text(text)

    def trigger(self, model: str) -> str:
        """Start a run; returns its path in the API."""
        api = self.airflow()
        wait_for_dag(api, f"deliver_{model}", f"{model}.yaml", "the log of airflow-dag-processor")
        run = api.post(f"/dags/deliver_{model}/dagRuns", {"logical_date": datetime.now(UTC).isoformat()})
        return f"/dags/deliver_{model}/dagRuns/{urllib.parse.quote(run['dag_run_id'], safe='')}"

    def tasks(self, run: str) -> dict[str, dict[str, Any]]:
        """A run's task instances by id (of a mapped task, the last), and the run itself under ``""``."""
        api = self.airflow()
        found = api.get(f"{run}/taskInstances", limit="200")["task_instances"]
        return {"": api.get(run)} | {task["task_id"]: task for task in found}

    def wait(self, run: str, timeout_seconds: float = 420) -> dict[str, dict[str, Any]]:
        """Wait until the run has ended."""
        deadline = time.monotonic() + timeout_seconds
        tasks: dict[str, dict[str, Any]] = {}
        while time.monotonic() < deadline:
            try:
                tasks = self.tasks(run)
            except UnavailableError:
                continue  # a busy api-server
            if tasks[""]["state"] in {"success", "failed"}:
                return tasks
            time.sleep(1)
        raise AssertionError(f"did not end: { {name: task['state'] for name, task in tasks.items()} }")


def free_range(count: int) -> str:
    """Loopback ports in a row that are free now: `first-last`."""
    for first in range(25100, 26000, count):
        with contextlib.ExitStack() as probes:
            try:
                for port in range(first, first + count):
                    probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return f"{first}-{first + count - 1}"
    raise AssertionError(f"no {count} free ports in a row from 25100 to 25999")


def _state(container: Any) -> str:
    state = container.attrs["State"]
    if state["Status"] == "exited":
        return f"exited {state['ExitCode']}"
    return str(state.get("Health", {}).get("Status", state["Status"]))
