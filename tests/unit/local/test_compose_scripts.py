"""The scripts of the image in .compose/airflow: what they decide, without a container."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bcrypt
import pytest

from slipway.rollout.operators import RestoreProcessOperator, RollOutProcessOperator
from slipway.rollout.process import ProcessTarget, Serving
from slipway.verification.operators import VerifyEndpointOperator

AIRFLOW = Path(__file__).parents[3] / ".compose" / "airflow"


def test_tasks_that_touch_an_endpoint_go_where_it_is() -> None:
    settings = runpy.run_path(str(AIRFLOW / "config" / "airflow_local_settings.py"))
    touching = {RollOutProcessOperator, RestoreProcessOperator, VerifyEndpointOperator}
    assert {operator.__name__ for operator in touching} == settings["AT_THE_ENDPOINT"]
    for name, queue in (("RollOutProcessOperator", "serving"), ("TrainModelOperator", "default")):
        task = SimpleNamespace(task_type=name, queue="default")
        settings["task_policy"](task)
        assert task.queue == queue


def test_the_registrys_log_in_is_written_once_and_again_for_another_password(tmp_path: Path) -> None:
    ensure_log_in = runpy.run_path(str(AIRFLOW / "bin" / "prepare.py"))["ensure_log_in"]
    path = tmp_path / "htpasswd"
    ensure_log_in(path, "slipway", "first")
    written = path.read_text()
    ensure_log_in(path, "slipway", "first")
    assert path.read_text() == written
    ensure_log_in(path, "slipway", "second")
    user, _, hashed = path.read_text().strip().partition(":")
    assert user == "slipway"
    assert bcrypt.checkpw(b"second", hashed.encode())
    assert not bcrypt.checkpw(b"first", hashed.encode())


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setitem(os.environ, "SLIPWAY_HOME", str(tmp_path))
    return runpy.run_path(str(AIRFLOW / "bin" / "serve.py"))


def test_prometheus_is_told_what_is_in_service_and_nothing_else(
    serve: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = {"iris": Serving("http://127.0.0.1:5001", "sha256:a", 1)}
    monkeypatch.setattr(ProcessTarget, "find_active", lambda self: active.get(self._folder.name))
    for model in ("iris", "stopped"):
        (tmp_path / "serving" / model).mkdir(parents=True)
    assert serve["scrape_targets"]() == [{"targets": ["serving:5001"], "labels": {"model": "iris"}}]


def test_one_model_that_cannot_be_served_again_does_not_keep_the_others_down(
    serve: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from slipway.core.errors import ConflictError

    def resume(_self: ProcessTarget) -> bool:
        raise ConflictError("could not open the endpoint", on="5000", why="taken", fix="end it")

    monkeypatch.setattr(ProcessTarget, "resume", resume)
    serve["resume"](tmp_path / "serving" / "iris")
    assert "iris is not served again: could not open the endpoint" in caplog.text


def test_a_file_is_replaced_only_when_it_says_something_else(serve: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "served.json"
    serve["replace"](path, json.dumps([1]))
    first = path.stat().st_mtime_ns
    serve["replace"](path, json.dumps([1]))
    assert path.stat().st_mtime_ns == first
    serve["replace"](path, json.dumps([2]))
    assert json.loads(path.read_text()) == [2]


def test_the_stacks_pins_are_those_that_everyone_does_not_have_already(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(AIRFLOW / "added_pins.py"))["main"]
    (tmp_path / "known").write_text("flask==3.1.3\nuvloop==0.23.0\n")
    (tmp_path / "more").write_text("celery==5.6.3\nflask==3.1.3\nuvloop==0.23.0 ; os_name != 'nt'\n")
    main(tmp_path / "known", tmp_path / "more")
    assert capsys.readouterr().out == "celery==5.6.3\n"
