"""The environment of the embedded profile's processes: all of Airflow's configuration, as a pure function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from slipway.local.layout import REPOSITORY, Layout
from slipway.local.secrets_file import Ports, Secrets


def airflow_environment(layout: Layout, ports: Ports, secrets: Secrets, caller: Mapping[str, str]) -> dict[str, str]:
    """What Airflow's parts are started with.

    Connections that the caller's environment defines win: that is how a real cloud takes the stand-in's place.
    """
    url = f"http://127.0.0.1:{ports.airflow}"
    settings = {
        "CORE__DAGS_FOLDER": str(layout.dags),
        "CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "6",
        "CORE__FERNET_KEY": secrets.fernet_key,
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(layout.passwords),
        "CORE__DAGBAG_IMPORT_ERROR_TRACEBACKS": "False",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{layout.airflow_home}/airflow.db",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(ports.airflow),
        "API__BASE_URL": url,
        "API__SECRET_KEY": secrets.api_secret,
        "API__WORKERS": "1",
        "API_AUTH__JWT_SECRET": secrets.jwt_secret,
        # A new or corrected model file shows up within seconds.
        "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        # The defaults suit a busy cluster; on one machine an idle second per task is what a newcomer would wait for.
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
        "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
        "LOGGING__COLORED_CONSOLE_LOG": "False",
        "LOGGING__LOGGING_LEVEL": "INFO",  # a command keeps its own libraries quiet; tasks have a log to write
    }
    return {
        "AWS_EC2_METADATA_DISABLED": "true",
        "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime reports usage to its maker by default
        "AIRFLOW_CONN_AWS_DEFAULT": stand_in_connection(ports),
        "AIRFLOW_CONN_SLIPWAY_API_KEYS": json.dumps({"conn_type": "generic", "password": secrets.api_key}),
        "AIRFLOW_CONN_DOCKER_DEFAULT": json.dumps({"conn_type": "docker", "host": "unix:///var/run/docker.sock"}),
        **caller,
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        "AIRFLOW_HOME": str(layout.airflow_home),
        "SLIPWAY_HOME": str(layout.home),
        "PYTHONPATH": ":".join(part for part in (caller.get("PYTHONPATH"), str(REPOSITORY / "plugins")) if part),
        "PYTHONDONTWRITEBYTECODE": "",
        # Numeric libraries start a thread per core in every task; on a shared machine they only get in each other's way.
        "OMP_NUM_THREADS": caller.get("OMP_NUM_THREADS", "2"),
    }


def with_warm_executor(env: Mapping[str, str]) -> dict[str, str]:
    """`env` for the scheduler: its path leads to the settings module that imports ahead of the tasks."""
    return {**env, "PYTHONPATH": f"{Path(__file__).with_name('warm_executor')}:{env['PYTHONPATH']}"}


def stand_in_connection(ports: Ports) -> str:
    """The Airflow connection to the stand-in cloud, as JSON."""
    extra = {"region_name": "us-east-1", "endpoint_url": f"http://127.0.0.1:{ports.cloud}"}
    return json.dumps({"conn_type": "aws", "login": "stand-in", "password": "stand-in", "extra": extra})


def uses_stand_in(caller: Mapping[str, str]) -> bool:
    """Whether the stand-in cloud is what `aws_default` means."""
    return "AIRFLOW_CONN_AWS_DEFAULT" not in caller
