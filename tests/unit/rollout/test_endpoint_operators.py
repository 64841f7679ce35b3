"""What the rollout tasks of every target do before anything is started: skip, wait for the turn, undo only what is theirs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from slipway.containers.engine_hook import DockerEngineHook
from slipway.core.deploy_section import DockerTarget, ProcessTarget
from slipway.core.errors import ConflictError
from slipway.release.ledger import Ledger
from slipway.rollout.docker.operators import RestoreDockerOperator, RollOutDockerOperator
from slipway.rollout.process.operators import RestoreProcessOperator, RollOutProcessOperator
from tests.unit.rollout.endpoint_tasks import BUNDLE, RELEASE, where_of


@dataclass
class Target:
    """One target's two tasks on a model's store, and the name of its step in the journal."""

    name: str
    where: dict[str, Any]

    @property
    def step(self) -> str:
        return f"rollout/{self.name}"

    @property
    def ledger(self) -> Ledger:
        return Ledger.open(self.where["store"], "iris")

    def roll_out(self, **decision: Any) -> Any:
        given = {**self.where, "task_id": f"roll_out_{self.name}", "bundle": BUNDLE, "decision": decision}
        if self.name == "process":
            return RollOutProcessOperator(**given)
        return RollOutDockerOperator(image={"image": "r/iris@sha256:bb"}, **given)

    def restore(self) -> Any:
        kind = RestoreProcessOperator if self.name == "process" else RestoreDockerOperator
        return kind(task_id=f"restore_{self.name}", **self.where)


@pytest.fixture(params=["process", "docker"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(subprocess, "Popen", lambda *_a, **_k: pytest.fail("nothing may be started"))
    monkeypatch.setattr(DockerEngineHook, "_connect", lambda *_: pytest.fail("the engine may not be asked"))
    section = ProcessTarget() if request.param == "process" else DockerTarget()
    return Target(request.param, where_of(tmp_path, section))


def test_what_the_gate_refused_is_skipped_with_its_reason(target: Target, tmp_path: Path) -> None:
    reason = "a backtest: the champion has seen 2013-01-05T00:00:00Z"
    with pytest.raises(AirflowSkipException, match=reason):
        target.roll_out(deploy=False, outcome="too old", reason=reason).execute({})
    assert not (tmp_path / "home").exists()


def test_without_the_turn_nothing_is_changed(target: Target, tmp_path: Path) -> None:
    target.ledger.turn("r0").take()
    with pytest.raises(ConflictError, match="it is the turn of run r0"):
        target.roll_out(deploy=True, outcome="better", reason="").execute({})
    assert not (tmp_path / "home").exists()


def test_a_rollout_that_had_not_begun_needs_no_undo(target: Target) -> None:
    found = target.restore().execute({})
    assert found == {"changed": False, "summary": "nothing to undo: the rollout had not begun"}


def test_an_endpoint_that_another_run_may_change_is_left_alone(target: Target) -> None:
    target.ledger.journal("r1").record_once(target.step, {"digest": None, "champion": None, "key": None, "image": None})
    target.ledger.turn("r0").take()
    found = target.restore().execute({})
    assert found == {"changed": False, "summary": "left alone: run r0 has the turn to change the endpoint"}


def test_undo_leaves_what_was_promoted_since(target: Target) -> None:
    """The undo of an old run that is cleared by hand, long after."""
    ledger = target.ledger
    found = {"release": 0, "digest": None, "champion": None, "key": None, "image": None}
    ledger.journal("r1").record_once(target.step, found)
    ledger.promote(ledger.record(RELEASE), None)
    undone = target.restore().execute({})
    assert undone == {"changed": False, "summary": "left alone: release 1 was promoted since"}
    assert ledger.turn("r2").take()


def test_the_champion_s_number_is_written_down_and_undo_takes_the_turn(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = target.ledger
    ledger.promote(ledger.record(RELEASE), None)
    task = target.roll_out(deploy=True, outcome="better", reason="")
    monkeypatch.setattr(task, "find_state", lambda _: {"champion": "sha256:champion"})
    monkeypatch.setattr(task, "roll_out", lambda: {"summary": "rolled out"})
    task.execute({})
    assert ledger.journal("r1").find(target.step) == {"release": 1, "champion": "sha256:champion"}
    ledger.turn("r1").give_back()
    undo = target.restore()
    monkeypatch.setattr(undo, "bring_back", lambda _: {"changed": True, "summary": "back"})
    assert undo.execute({}) == {"changed": True, "summary": "returned to the champion: back"}
    assert not ledger.turn("r2").take()
