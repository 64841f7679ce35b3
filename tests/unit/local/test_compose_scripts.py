"""The scripts of the image in .compose/airflow: what they decide, without a container."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import runpy
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bcrypt
import psutil
import pytest
from werkzeug.security import check_password_hash, generate_password_hash

from slipway.rollout.process.operators import RestoreProcessOperator, RollOutProcessOperator
from slipway.rollout.process.target import ProcessTarget, Serving
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


class LogIns:
    """As much of Airflow's security manager as prepare.py uses."""

    def __init__(self, *, works: bool = True) -> None:
        self.works, self.hashed, self.writes = works, "", 0

    def find_user(self, _name: str) -> Any:
        return SimpleNamespace(id=1, password=self.hashed) if self.hashed else None

    def find_role(self, name: str) -> str:
        return name

    def add_user(self, *fields: str) -> bool:
        return self.reset_password(1, fields[-1])

    def reset_password(self, _user: int, password: str) -> bool:
        self.writes += 1
        self.hashed = generate_password_hash(password) if self.works else self.hashed
        return self.works


def ensure_admin(log_ins: LogIns, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What prepare.py does with these log-ins."""
    module: Any = ModuleType("utils")
    module.get_application_builder = lambda: contextlib.nullcontext(SimpleNamespace(sm=log_ins))
    monkeypatch.setitem(sys.modules, "airflow.providers.fab.auth_manager.cli_commands.utils", module)
    runpy.run_path(str(AIRFLOW / "bin" / "prepare.py"))["ensure_admin"](password)


def test_the_admins_password_is_set_only_when_it_is_another_as_that_ends_all_sessions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_ins = LogIns()
    for password, writes in (("first", 1), ("first", 1), ("second", 2), ("second", 2)):
        ensure_admin(log_ins, password, monkeypatch)
        assert log_ins.writes == writes
        assert check_password_hash(log_ins.hashed, password)


@pytest.mark.parametrize("hashed", ["", generate_password_hash("first")])
def test_an_admin_whose_password_cannot_be_set_keeps_the_stack_from_starting(
    hashed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_ins = LogIns(works=False)
    log_ins.hashed = hashed
    with pytest.raises(SystemExit, match="could not set the password of the user admin"):
        ensure_admin(log_ins, "second", monkeypatch)


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


def test_a_full_disk_does_not_end_what_is_served(
    serve: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def write_text(_self: Path, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("SLIPWAY_API_KEY", "key")
    with monkeypatch.context() as full:
        full.setattr(Path, "write_text", write_text)
        serve["tell_prometheus"](tmp_path)
    assert "Prometheus is not told what is served, which goes on: [Errno 28] No space left" in caplog.text
    serve["tell_prometheus"](tmp_path)
    assert (tmp_path / "api_key").read_text() == "key"
    assert (tmp_path / "served.json").read_text() == "[]"


def test_all_models_are_ended_at_the_same_time_and_one_that_cannot_be_does_not_matter(
    serve: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    models = ("flights", "iris", "wines")
    together = threading.Barrier(len(models), timeout=20)

    def pause(self: ProcessTarget) -> bool:
        together.wait()
        if self._folder.name == "iris":
            raise psutil.AccessDenied(1)
        return True

    monkeypatch.setattr(ProcessTarget, "pause", pause)
    for model in models:
        (tmp_path / "serving" / model).mkdir(parents=True)
    serve["pause_all"]()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["iris was not ended"]


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
