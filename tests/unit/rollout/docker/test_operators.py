"""What the tasks of the target `docker` do before the engine is asked anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipway.containers.engine_hook import DockerEngineHook
from slipway.core.deploy_section import DockerTarget
from slipway.core.errors import AbsentError
from slipway.release.ledger import Ledger
from slipway.rollout.docker.operators import RestoreDockerOperator, RollOutDockerOperator
from slipway.rollout.docker.target import ContainerEndpoint, DockerServing, Limits
from tests.unit.rollout.endpoint_tasks import BUNDLE, RELEASE, where_of


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(DockerEngineHook, "_connect", lambda *_: pytest.fail("the engine may not be asked"))
    return where_of(tmp_path, DockerTarget())


def roll_out(where: dict[str, Any], **decision: Any) -> RollOutDockerOperator:
    image = {"image": "r/iris@sha256:bb"}
    return RollOutDockerOperator(task_id="roll_out_docker", bundle=BUNDLE, image=image, decision=decision, **where)


def test_what_comes_from_other_tasks_is_templated() -> None:
    assert set(RollOutDockerOperator.template_fields) == {"run_id", "bundle", "decision", "image"}
    assert set(RestoreDockerOperator.template_fields) == {"run_id"}


def test_an_engine_s_connection_that_is_not_there_is_named(where: dict[str, Any]) -> None:
    where["target"] = DockerTarget(conn_id="engine_forgotten")
    with pytest.raises(AbsentError, match=r"connection engine_forgotten: there is none\. Add one of type docker"):
        roll_out(where, deploy=True, outcome="better", reason="").execute({})
    assert Ledger.open(where["store"], "iris").journal("r1").find("rollout/docker") is None


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
