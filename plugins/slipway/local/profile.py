"""Starting, stopping and looking at the embedded profile as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from slipway.core.errors import UnavailableError
from slipway.local import environment, secrets_file
from slipway.local.airflow_api import AirflowApi
from slipway.local.console import say
from slipway.local.layout import REPOSITORY, Layout
from slipway.local.service import Service

AIRFLOW_PARTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer"],
}
START_TIMEOUT_SECONDS = 180


@dataclass(frozen=True)
class Profile:
    """The embedded profile in one folder: `up` starts what is missing, `down` ends all of it and only it."""

    layout: Layout

    def service(self, name: str) -> Service:
        """One part by its name."""
        return Service(name, self.layout.run / f"{name}.json", self.layout.logs / f"{name}.log")

    def services(self) -> list[Service]:
        """All parts, in the order they start."""
        return [self.service(name) for name in ("cloud", *AIRFLOW_PARTS)]

    def up(self) -> AirflowApi:
        """Start what is not running, wait until all parts say that they are healthy.

        Raises:
            UnavailableError: a part ended or did not become healthy in time; names its log.
        """
        secrets = secrets_file.ensure_secrets(self.layout)
        running = [service.name for service in self.services() if service.find()]
        ports = secrets_file.ensure_ports(self.layout, running=bool(running))
        env = environment.airflow_environment(self.layout, ports, secrets, os.environ)
        if missing := [service.name for service in self.services() if service.name not in running]:
            say(f"starting {', '.join(missing)} (logs in {self.layout.logs})")
        if environment.uses_stand_in(os.environ):
            self._start_cloud(ports.cloud, env)
        self._migrate(env)
        for name, command in AIRFLOW_PARTS.items():
            if name != "scheduler":
                self.service(name).ensure_started([_airflow(), *command], env, self.layout.home)
        kept = [sys.executable, "-m", "slipway.local.keeper", _airflow(), *AIRFLOW_PARTS["scheduler"]]
        self.service("scheduler").ensure_started(kept, environment.with_warm_executor(env), self.layout.home)
        api = AirflowApi(f"http://127.0.0.1:{ports.airflow}", "admin", secrets.admin_password)
        self._wait_until_healthy(api)
        return api

    def down(self) -> list[str]:
        """End every part and every model served from here; returns the names of what ran. Also works after a crash."""
        # The parts that start tasks go first, so that no task starts a server behind our back.
        ended = [service.name for service in reversed(self.services()) if service.stop()]
        return [*ended, *self._stop_served_models()]

    def connection_to_cloud(self) -> str:
        """The Airflow connection to the stand-in cloud, as JSON."""
        return environment.stand_in_connection(secrets_file.ensure_ports(self.layout, running=True))

    def _start_cloud(self, port: int, env: dict[str, str]) -> None:
        command = [sys.executable, "-m", "slipway.local.cloud", "--port", str(port), "--folder", str(self.layout.cloud)]
        self.service("cloud").ensure_started(command, env, self.layout.home)

    def _migrate(self, env: dict[str, str]) -> None:
        """Create Airflow's database, once per Airflow version."""
        from importlib.metadata import version

        done = self.layout.airflow_home / f".migrated-{version('apache-airflow-core')}"
        if done.exists():
            return
        log = self.layout.logs / "migrate.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            result = subprocess.run(
                [_airflow(), "db", "migrate"], env=env, cwd=self.layout.home, stdout=stream, stderr=stream, check=False
            )
        if result.returncode:
            raise Service("database", done, log).down_error(f"airflow db migrate ended with code {result.returncode}")
        done.touch()

    def _wait_until_healthy(self, api: AirflowApi) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        health: dict[str, str] = {}
        while time.monotonic() < deadline:
            for service in self._expected():
                if service.find() is None:
                    raise service.down_error("its process ended")
            health = api.find_health()
            if health and all(state == "healthy" for state in health.values()):
                return
            time.sleep(0.5)
        sick = [name for name in AIRFLOW_PARTS if health.get(name.replace("-", "_"), "healthy") != "healthy"]
        name = sick[0] if sick else "api-server"
        raise self.service(name).down_error(
            f"not healthy after {START_TIMEOUT_SECONDS} s; last seen {health or 'nothing'}"
        )

    def _expected(self) -> list[Service]:
        stand_in = environment.uses_stand_in(os.environ)
        return [service for service in self.services() if stand_in or service.name != "cloud"]

    def _stop_served_models(self) -> list[str]:
        from slipway.rollout.process.target import ProcessTarget

        folders = sorted(path for path in self.layout.serving.glob("*") if path.is_dir())
        return [f"served model {folder.name}" for folder in folders if ProcessTarget(folder).stop()]


def admin_password_hint(layout: Layout) -> str:
    """Where a person finds the log-in."""
    return f"log in as admin, password in {layout.passwords}"


def _airflow() -> str:
    path = Path(sys.executable).parent / "airflow"
    if not path.exists():
        raise UnavailableError(
            "could not start Airflow", on=str(path), why="it is not installed", fix=f"Run make in {REPOSITORY}."
        )
    return str(path)
