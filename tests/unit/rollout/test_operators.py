"""What the rollout tasks do before anything is started: skip with the gate's reason, and undo what was not begun."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from slipway.core.errors import ConflictError
from slipway.core.model_file import Access, ProcessTarget
from slipway.release.ledger import Ledger
from slipway.rollout.operators import RestoreProcessOperator, RollOutProcessOperator


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
