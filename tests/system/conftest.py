"""A real Airflow with its stand-in cloud, for the tests of this folder: one for all, in a folder and on ports of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slipway.local.airflow_api import AirflowApi
from slipway.local.layout import Layout
from slipway.local.profile import Profile
from slipway.release.ledger import Ledger

ROOT = Path(__file__).parents[2]
KILL_SWITCH = Path(__file__).parent / "kill_switch"


@dataclass(frozen=True)
class Embedded:
    """The running profile, and short ways to what tests ask of it."""

    profile: Profile
    api: AirflowApi
    environment: dict[str, str]

    def command(self, *arguments: str, timeout_seconds: float = 600) -> subprocess.CompletedProcess[str]:
        """`python -m slipway.local ...` as make would call it."""
        return subprocess.run(
            [sys.executable, "-m", "slipway.local", *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def add_model(self, name: str, text: str) -> None:
        """A new model file in the DAG folder."""
        (self.profile.layout.dags / "models" / f"{name}.yaml").write_text(text)

    def copy_model(self, name: str, original: str = "iris", *replacements: tuple[str, str]) -> None:
        """A model like another, under its own name."""
        text = (ROOT / "dags" / "models" / f"{original}.yaml").read_text()
        for old, new in (
            (f"model: {original}", f"model: {name}"),
            (f"{original}-serving", f"{name}-serving"),
            *replacements,
        ):
            assert old in text, old
            text = text.replace(old, new)
        self.add_model(name, text)

    def ledger(self, model: str) -> Ledger:
        """A model's ledger in the stand-in cloud."""
        return Ledger.open("s3://slipway", model)

    def trigger(self, model: str, **conf: Any) -> str:
        """Start a run once the DAG is there; returns the run id."""
        from datetime import UTC, datetime

        from slipway.local.delivery import wait_for_dag

        wait_for_dag(self.api, f"deliver_{model}", f"{model}.yaml", "the log")
        body = {"logical_date": datetime.now(UTC).isoformat(), "conf": conf}
        return str(self.api.post(f"/dags/deliver_{model}/dagRuns", body)["dag_run_id"])

    def wait(self, model: str, run_id: str, timeout_seconds: float = 240) -> dict[str, dict[str, Any]]:
        """Wait until the run ends; its task instances by task id, with the run's state under ``""``."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            path = f"/dags/deliver_{model}/dagRuns/{run_id.replace('+', '%2B').replace(':', '%3A')}"
            run = self.api.get(path)
            if run["state"] in {"success", "failed"}:
                tasks = self.api.get(f"{path}/taskInstances", limit="200")["task_instances"]
                return {"": run} | {task["task_id"]: task for task in tasks}
            time.sleep(0.5)
        pytest.fail(f"{run_id} did not end")

    def log(self, model: str, run_id: str, task: dict[str, Any]) -> str:
        """A task's log of its last try."""
        return "\n".join(self.api.log_lines(f"deliver_{model}", run_id, task))

    def endpoint(self, model: str) -> str:
        """Where the model is served."""
        status = json.loads((self.profile.layout.serving / model / "status.json").read_text())
        return f"http://127.0.0.1:{status['port']}"


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    folder = tmp_path_factory.mktemp("embedded")
    shutil.copytree(ROOT / "dags", folder / "dags")
    (folder / "kill-plans").mkdir()
    settings = {
        "SLIPWAY_HOME": str(folder / "home"),
        "SLIPWAY_DAGS": str(folder / "dags"),
        "SLIPWAY_TEST_KILL_PLANS": str(folder / "kill-plans"),
        "PYTHONPATH": f"{KILL_SWITCH}:{ROOT / 'plugins'}",
    }
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("AIRFLOW_", "AWS_"))]:
        del os.environ[name]
    os.environ |= settings
    profile = Profile(Layout(folder / "home", folder / "dags"))
    choose_ports(profile)
    try:
        api = profile.up()
        os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = profile.connection_to_cloud()
        environment = {k: v for k, v in os.environ.items() if k != "AIRFLOW_CONN_AWS_DEFAULT"}
        yield Embedded(profile, api, environment)
    finally:
        profile.down()
        os.environ.clear()
        os.environ |= before


def choose_ports(profile: Profile) -> None:
    """Ports of its own, so that a developer's running demo is not in the way."""
    ports = {}
    for name in ("airflow", "cloud"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports[name] = probe.getsockname()[1]
    profile.layout.run.mkdir(parents=True, exist_ok=True)
    (profile.layout.run / "ports.json").write_text(json.dumps(ports))
