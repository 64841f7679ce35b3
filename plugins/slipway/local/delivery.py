"""Follows a run of a deliver DAG task by task, and tells what came of it."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable
from datetime import datetime
from typing import Any

from slipway.core.errors import AbsentError, ConfigurationError, RejectedError, UnavailableError
from slipway.local import console
from slipway.local.airflow_api import AirflowApi

PARSE_TIMEOUT_SECONDS = 90
RUN_TIMEOUT_SECONDS = 1800
_ENDED = {"success", "failed", "skipped", "upstream_failed", "removed"}


def wait_for_dag(api: AirflowApi, dag_id: str, model_file: str, log: str) -> dict[str, Any]:
    """Wait until the dag-processor has the DAG, and unpause it.

    Raises:
        ConfigurationError: the model file is broken; the text is Airflow's import error.
        AbsentError: it did not appear in time; names the dag-processor's log.
    """
    deadline = time.monotonic() + PARSE_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            dag = api.patch(f"/dags/{dag_id}", {"is_paused": False})
        except AbsentError:
            _raise_import_error(api, model_file)
            time.sleep(1)
            continue
        if not dag.get("is_stale"):
            return dag
        time.sleep(1)
    raise AbsentError(
        "could not find the DAG",
        on=dag_id,
        why=f"the dag-processor did not report it in {PARSE_TIMEOUT_SECONDS} s",
        fix=f"Is there a dags/models/{model_file}? Read {log}.",
    )


def start_run(api: AirflowApi, dag_id: str, date: str | None) -> str:
    """Trigger a run, or run the one of that date again; returns its run id."""
    if date is None:
        now = datetime.now().astimezone().isoformat()
        return str(api.post(f"/dags/{dag_id}/dagRuns", {"logical_date": now})["dag_run_id"])
    moment = _utc(date)
    found = api.get(f"/dags/{dag_id}/dagRuns", logical_date_gte=moment, logical_date_lte=moment)["dag_runs"]
    if not found:
        return str(api.post(f"/dags/{dag_id}/dagRuns", {"logical_date": moment})["dag_run_id"])
    run_id = str(found[0]["dag_run_id"])
    # Airflow has one run per logical date; its tasks are run again and find what is in place.
    api.post(f"/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}/clear", {"dry_run": False})
    return run_id


def follow(
    api: AirflowApi, dag_id: str, run_id: str, say: Callable[[str], None] = console.say
) -> dict[str, dict[str, Any]]:
    """Say every task as it ends; returns what each returned, by task id.

    Raises:
        RejectedError: the run failed; the first failed task's error is the text.
        UnavailableError: it did not end in time.
    """
    told: set[tuple[str, int]] = set()
    results: dict[str, dict[str, Any]] = {}
    path = f"/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}"
    deadline = time.monotonic() + RUN_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        state = api.get(path)["state"]
        tasks = api.get(f"{path}/taskInstances", limit="200", order_by="end_date")["task_instances"]
        for task in tasks:
            key = (task["task_id"], task["map_index"])
            if task["state"] in _ENDED and key not in told and not task["task_id"].startswith("undo."):
                told.add(key)
                say(_line(api, dag_id, run_id, task, results))
        if state in {"success", "failed"}:
            if state == "failed":
                raise _failure(api, dag_id, run_id, tasks)
            return results
        time.sleep(0.5)
    raise UnavailableError(
        "could not see the run end",
        on=f"{dag_id} {run_id}",
        why=f"it has been running for {RUN_TIMEOUT_SECONDS} s",
        fix=f"Look at {api.url}/dags/{dag_id}.",
    )


def _line(api: AirflowApi, dag_id: str, run_id: str, task: dict[str, Any], results: dict[str, Any]) -> str:
    value = api.xcom(dag_id, run_id, task["task_id"]) if task["state"] == "success" and task["map_index"] < 0 else None
    if isinstance(value, dict):
        results[task["task_id"]] = value
    said = value.get("summary", "") if isinstance(value, dict) else task.get("rendered_map_index") or ""
    return f"  {task['state']:8} {task['task_id']:34} {task['duration'] or 0:5.1f} s  {said}".rstrip()


def _failure(api: AirflowApi, dag_id: str, run_id: str, tasks: list[dict[str, Any]]) -> RejectedError:
    task = next((task for task in tasks if task["state"] == "failed"), None)
    if task is None:
        return RejectedError(
            "the run failed", on=run_id, why="no task of it did", fix=f"Look at {api.url}/dags/{dag_id}."
        )
    lines = [line for line in api.log_lines(dag_id, run_id, task) if "Error" in line] or ["(no error in its log)"]
    return RejectedError(
        "the run failed",
        on=f"{dag_id}, task {task['task_id']}",
        why=lines[-1][-2000:],
        fix=f"The whole log: {api.url}/dags/{dag_id}/runs/{run_id}/tasks/{task['task_id']}",
    )


def _raise_import_error(api: AirflowApi, model_file: str) -> None:
    for error in api.get("/importErrors")["import_errors"]:
        if error["filename"].endswith((model_file, "deliver_model.py")):
            text = error["stack_trace"].strip().splitlines()[-1]
            raise ConfigurationError(
                "could not load the DAG", on=error["filename"], why=text, fix="Correct it and run again."
            )


def _utc(date: str) -> str:
    moment = datetime.fromisoformat(date)
    return (moment if moment.tzinfo else moment.astimezone().replace(tzinfo=None)).isoformat() + (
        "" if moment.tzinfo else "Z"
    )
