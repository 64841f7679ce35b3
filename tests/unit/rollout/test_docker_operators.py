"""What the tasks of the target `docker` do before the engine is asked anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from slipway.containers.engine_hook import DockerEngineHook
from slipway.core.errors import AbsentError, ConflictError
from slipway.core.model_file import Access, DockerTarget
from slipway.core.release import Release
from slipway.release.ledger import Ledger
from slipway.rollout.docker_operators import RestoreDockerOperator, RollOutDockerOperator
from slipway.rollout.docker_target import ContainerEndpoint, DockerServing, Limits

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
    monkeypatch.setattr(DockerEngineHook, "_connect", lambda *_: pytest.fail("the engine may not be asked"))
    return {
        "model": "iris",
        "store": str(tmp_path / "store"),
        "target": DockerTarget(),
        "access": Access(open=True),
        "run_id": "r1",
    }


def roll_out(where: dict[str, Any], **decision: Any) -> RollOutDockerOperator:
    bundle, image = {"key": "models/m1/", "digest": "sha256:aa"}, {"image": "r/iris@sha256:bb"}
    return RollOutDockerOperator(task_id="roll_out_docker", bundle=bundle, image=image, decision=decision, **where)


def test_what_comes_from_other_tasks_is_templated() -> None:
    assert set(RollOutDockerOperator.template_fields) == {"run_id", "bundle", "decision", "image"}
    assert set(RestoreDockerOperator.template_fields) == {"run_id"}


def test_what_the_gate_refused_is_skipped_with_its_reason(where: dict[str, Any]) -> None:
    reason = "a backtest: the champion has seen 2013-01-05T00:00:00Z"
    with pytest.raises(AirflowSkipException, match=reason):
        roll_out(where, deploy=False, outcome="too old", reason=reason).execute({})


def test_without_the_turn_nothing_is_changed(where: dict[str, Any]) -> None:
    Ledger.open(where["store"], "iris").turn("r0").take()
    with pytest.raises(ConflictError, match="it is the turn of run r0"):
        roll_out(where, deploy=True, outcome="better", reason="").execute({})


def test_an_engine_s_connection_that_is_not_there_is_named(where: dict[str, Any]) -> None:
    where["target"] = DockerTarget(conn_id="engine_forgotten")
    with pytest.raises(AbsentError, match=r"connection engine_forgotten: there is none\. Add one of type docker"):
        roll_out(where, deploy=True, outcome="better", reason="").execute({})
    assert Ledger.open(where["store"], "iris").journal("r1").find("rollout/docker") is None


def test_a_rollout_that_had_not_begun_needs_no_undo(where: dict[str, Any]) -> None:
    found = RestoreDockerOperator(task_id="restore_docker", **where).execute({})
    assert found == {"changed": False, "summary": "nothing to undo: the rollout had not begun"}


def test_an_endpoint_that_another_run_may_change_is_left_alone(where: dict[str, Any]) -> None:
    ledger = Ledger.open(where["store"], "iris")
    ledger.journal("r1").record_once("rollout/docker", {"digest": None, "champion": None, "image": None})
    ledger.turn("r0").take()
    found = RestoreDockerOperator(task_id="restore_docker", **where).execute({})
    assert found == {"changed": False, "summary": "left alone: run r0 has the turn to change the endpoint"}


@pytest.mark.parametrize(
    ("image", "serves", "expected"),
    [
        ("r/iris@sha256:1", "sha256:other", ("sha256:champion", "r/iris@sha256:1")),
        (None, "sha256:champion", ("sha256:champion", "r/iris@sha256:active")),  # its release is older than image:
        (None, "sha256:other", (None, None)),
        (None, None, (None, None)),
    ],
)
def test_what_undo_returns_to(
    where: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    image: str | None,
    serves: str | None,
    expected: tuple[str | None, str | None],
) -> None:
    active = DockerServing("http://h:1", "r/iris@sha256:active", serves, "c", 1) if serves else None
    monkeypatch.setattr(ContainerEndpoint, "find_active", lambda _: active)
    monkeypatch.setattr(ContainerEndpoint, "limits", lambda *_: Limits(1, 400 * 1024**2, 0.5))
    champion = RELEASE.model_copy(update={"number": 1, "image": image})
    found = roll_out(where).find_state(champion)
    assert (found["champion"], found["image"], found["digest"]) == (*expected, serves)
    limits = {"workers": 1, "memory_bytes": 400 * 1024**2, "cpus": 0.5}
    assert found["limits"] == (limits if serves == "sha256:champion" else None)


def test_undo_leaves_what_was_promoted_since(where: dict[str, Any]) -> None:
    """The undo of an old run that is cleared by hand, long after."""
    ledger = Ledger.open(where["store"], "iris")
    found = {"release": 0, "digest": None, "champion": None, "image": None}
    ledger.journal("r1").record_once("rollout/docker", found)
    ledger.promote(ledger.record(RELEASE), None)
    undone = RestoreDockerOperator(task_id="restore_docker", **where).execute({})
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
    assert ledger.journal("r1").find("rollout/docker") == {"release": 1, "champion": "sha256:champion"}
    ledger.turn("r1").give_back()
    undo = RestoreDockerOperator(task_id="restore_docker", **where)
    monkeypatch.setattr(undo, "bring_back", lambda _: {"changed": True, "summary": "back"})
    assert undo.execute({}) == {"changed": True, "summary": "returned to the champion: back"}
    assert not ledger.turn("r2").take()
