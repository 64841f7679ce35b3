"""Following a run: what is said of each task, what a failure says, and what a broken model file says."""

from __future__ import annotations

from typing import Any, cast

import pytest

from slipway.core.errors import AbsentError, ConfigurationError, RejectedError
from slipway.local import delivery
from slipway.local.airflow_api import AirflowApi


class FakeAirflow:
    """Airflow's answers by path; remembers what was posted."""

    url = "http://127.0.0.1:8080"

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.returned: dict[str, Any] = {}
        self.log: list[str] = []
        self.posted: list[tuple[str, dict[str, Any]]] = []

    def get(self, path: str, **_query: str) -> dict[str, Any]:
        return self.answers[path]

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.posted.append((path, body))
        return {"dag_run_id": "fresh"}

    def patch(self, path: str, _body: dict[str, Any]) -> dict[str, Any]:
        if path not in self.answers:
            raise AbsentError("could not ask Airflow", on=path, why="not found", fix="")
        return self.answers[path]

    def xcom(self, _dag_id: str, _run_id: str, task_id: str) -> Any:
        return self.returned.get(task_id)

    def log_lines(self, _dag_id: str, _run_id: str, _task: dict[str, Any]) -> list[str]:
        return self.log

    def as_api(self) -> AirflowApi:
        return cast("AirflowApi", self)


def task(task_id: str, state: str, **more: Any) -> dict[str, Any]:
    return {"task_id": task_id, "state": state, "map_index": -1, "duration": 0.5, "try_number": 1, **more}


def run_of(airflow: FakeAirflow, state: str, *tasks: dict[str, Any]) -> None:
    airflow.answers["/dags/d/dagRuns/r%2B1"] = {"state": state}
    airflow.answers["/dags/d/dagRuns/r%2B1/taskInstances"] = {"task_instances": list(tasks)}


def test_each_task_is_one_line_with_what_it_returned() -> None:
    airflow, said = FakeAirflow(), list[str]()
    airflow.returned["training.train_model"] = {"changed": True, "summary": "trained 4f2a"}
    mapped = task("check", "success", map_index=0, rendered_map_index="the inbox")
    run_of(airflow, "success", task("training.train_model", "success"), mapped, task("undo.return_turn", "skipped"))
    results = delivery.follow(airflow.as_api(), "d", "r+1", said.append)
    assert results == {"training.train_model": {"changed": True, "summary": "trained 4f2a"}}
    assert [line.split() for line in said] == [
        ["success", "training.train_model", "0.5", "s", "trained", "4f2a"],
        ["success", "check", "0.5", "s", "the", "inbox"],
    ]


def test_a_failed_run_tells_the_task_its_last_error_and_where_the_log_is() -> None:
    airflow = FakeAirflow()
    airflow.log = ["ValueError: first", "done", "RejectedError: column late: 3 nulls"]
    run_of(airflow, "failed", task("dataset.store_dataset", "failed"), task("training.train_model", "upstream_failed"))
    with pytest.raises(RejectedError) as caught:
        delivery.follow(airflow.as_api(), "d", "r+1", lambda _line: None)
    assert str(caught.value) == (
        "the run failed: d, task dataset.store_dataset: RejectedError: column late: 3 nulls. "
        "The whole log: http://127.0.0.1:8080/dags/d/runs/r+1/tasks/dataset.store_dataset"
    )


def test_a_second_run_of_a_date_runs_the_first_again() -> None:
    airflow = FakeAirflow()
    airflow.answers["/dags/d/dagRuns"] = {"dag_runs": [{"dag_run_id": "r+1"}]}
    assert delivery.start_run(airflow.as_api(), "d", "2013-01-05") == "r+1"
    assert airflow.posted == [("/dags/d/dagRuns/r%2B1/clear", {"dry_run": False})]


def test_the_first_run_of_a_date_is_triggered_for_midnight_utc() -> None:
    airflow = FakeAirflow()
    airflow.answers["/dags/d/dagRuns"] = {"dag_runs": []}
    assert delivery.start_run(airflow.as_api(), "d", "2013-01-05") == "fresh"
    assert airflow.posted == [("/dags/d/dagRuns", {"logical_date": "2013-01-05T00:00:00Z"})]


def test_a_broken_model_file_is_told_with_its_own_error() -> None:
    airflow = FakeAirflow()
    trace = "Traceback ...\nslipway.core.errors.ConfigurationError: could not read the model file: models/iris.yaml:3\n"
    broken = {"filename": "models/iris.yaml", "stack_trace": trace}
    airflow.answers["/importErrors"] = {"import_errors": [{"filename": "other.yaml", "stack_trace": "x"}, broken]}
    with pytest.raises(ConfigurationError, match=r"could not load the DAG: models/iris.yaml: .*models/iris.yaml:3"):
        delivery.wait_for_dag(airflow.as_api(), "deliver_iris", "iris.yaml", "dag-processor.log")


def test_a_dag_that_never_shows_names_the_dag_processor_s_log(monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = FakeAirflow()
    airflow.answers["/importErrors"] = {"import_errors": []}
    monkeypatch.setattr(delivery, "PARSE_TIMEOUT_SECONDS", 0.1)
    with pytest.raises(AbsentError) as caught:
        delivery.wait_for_dag(airflow.as_api(), "deliver_wine", "wine.yaml", "/logs/dag-processor.log")
    assert "could not find the DAG: deliver_wine" in str(caught.value)
    assert str(caught.value).endswith("Is there a dags/models/wine.yaml? Read /logs/dag-processor.log.")
