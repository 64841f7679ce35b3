"""What the rollout tasks do before anything is started: skip with the gate's reason, and undo what was not begun."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from slipway.core.errors import ConflictError
from slipway.core.model_file import Access, ProcessTarget
from slipway.core.release import Release
from slipway.release.ledger import Ledger
from slipway.rollout.operators import RestoreProcessOperator, RollOutProcessOperator

RELEASE = Release(
    number=0,
    model="iris",
    partition="2026-01-01",
    dataset_id="d",
    model_id="m",
    bundle_digest="sha256:champion",
    outcome="first release",
    run_id="r0",
    created="2026-01-01T00:00:00+00:00",
)


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(subprocess, "Popen", lambda *_a, **_k: pytest.fail("nothing may be started"))
    return {
        "model": "iris",
        "store": str(tmp_path / "store"),
        "target": ProcessTarget(),
        "access": Access(open=True),
        "run_id": "r1",
    }


def roll_out(where: dict[str, Any], **decision: Any) -> RollOutProcessOperator:
    bundle = {"key": "models/m1/", "digest": "sha256:aa"}
    return RollOutProcessOperator(task_id="roll_out_process", bundle=bundle, decision=decision, **where)


def test_what_the_gate_refused_is_skipped_with_its_reason(where: dict[str, Any], tmp_path: Path) -> None:
    reason = "a backtest: the champion has seen 2013-01-05T00:00:00Z"
    with pytest.raises(AirflowSkipException, match=reason):
        roll_out(where, deploy=False, outcome="too old", reason=reason).execute({})
    assert not (tmp_path / "home").exists()


def test_without_the_turn_nothing_is_changed(where: dict[str, Any], tmp_path: Path) -> None:
    Ledger.open(where["store"], "iris").turn("r0").take()
    with pytest.raises(ConflictError, match="it is the turn of run r0"):
        roll_out(where, deploy=True, outcome="better", reason="").execute({})
    assert not (tmp_path / "home").exists()


def test_a_rollout_that_had_not_begun_needs_no_undo(where: dict[str, Any]) -> None:
    found = RestoreProcessOperator(task_id="restore_process", **where).execute({})
    assert found == {"changed": False, "summary": "nothing to undo: the rollout had not begun"}


def test_an_endpoint_that_another_run_may_change_is_left_alone(where: dict[str, Any]) -> None:
    ledger = Ledger.open(where["store"], "iris")
    ledger.journal("r1").record_once("rollout/process", {"digest": None, "champion": None, "key": None})
    ledger.turn("r0").take()
    found = RestoreProcessOperator(task_id="restore_process", **where).execute({})
    assert found == {"changed": False, "summary": "left alone: run r0 has the turn to change the endpoint"}


def test_undo_leaves_what_was_promoted_since(where: dict[str, Any]) -> None:
    """The undo of an old run that is cleared by hand, long after."""
    ledger = Ledger.open(where["store"], "iris")
    found = {"release": 0, "digest": None, "champion": None, "key": None}
    ledger.journal("r1").record_once("rollout/process", found)
    ledger.promote(ledger.record(RELEASE), None)
    undone = RestoreProcessOperator(task_id="restore_process", **where).execute({})
    assert undone == {"changed": False, "summary": "left alone: release 1 was promoted since"}
    assert ledger.turn("r2").take()


def test_the_champion_s_number_is_written_down_and_undo_takes_the_turn(
    where: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(where["store"], "iris")
    ledger.promote(ledger.record(RELEASE), None)
    task = roll_out(where, deploy=True, outcome="better", reason="")
    monkeypatch.setattr(task, "find_state", lambda _: {"champion": "sha256:champion"})
    monkeypatch.setattr(task, "roll_out", lambda: {"summary": "rolled out"})
    task.execute({})
    assert ledger.journal("r1").find("rollout/process") == {"release": 1, "champion": "sha256:champion"}
    ledger.turn("r1").give_back()
    undo = RestoreProcessOperator(task_id="restore_process", **where)
    monkeypatch.setattr(undo, "bring_back", lambda _: {"changed": True, "summary": "back"})
    assert undo.execute({}) == {"changed": True, "summary": "returned to the champion: back"}
    assert not ledger.turn("r2").take()
