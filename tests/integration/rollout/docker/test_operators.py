"""The tasks of the target `docker` on a real engine: what they return, and what undo returns to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slipway.core.deploy_section import DockerTarget
from slipway.core.model_file import Access
from slipway.core.release import Release
from slipway.release.ledger import Ledger
from slipway.rollout.docker.operators import RestoreDockerOperator, RollOutDockerOperator
from tests.container_endpoint import ENGINE_CONNECTION, Endpoint, Version
from tests.docker_host import NGINX_IMAGE

KEY = "an api key of the tests, long enough"


@pytest.fixture
def where(endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    connection = json.dumps({"conn_type": "generic", "password": KEY})
    monkeypatch.setenv("AIRFLOW_CONN_SLIPWAY_API_KEYS", connection)
    target = DockerTarget(
        conn_id=ENGINE_CONNECTION, port=endpoint.port, workers=1, memory="400m", proxy_image=NGINX_IMAGE
    )
    return {"model": endpoint.model, "store": str(tmp_path / "store"), "target": target, "access": Access(open=True)}


def roll_out(where: dict[str, Any], version: Version, run_id: str) -> dict[str, Any]:
    return RollOutDockerOperator(
        task_id="roll_out_docker",
        image={"image": version.image, "digest": version.image.partition("@")[2]},
        bundle={"key": "models/m/", "digest": version.digest},
        decision={"deploy": True, "outcome": "better", "reason": ""},
        run_id=run_id,
        **where,
    ).execute({})


def restore(where: dict[str, Any], run_id: str) -> dict[str, Any]:
    return RestoreDockerOperator(task_id="restore_docker", run_id=run_id, **where).execute({})


def promote(ledger: Ledger, model: str, version: Version) -> None:
    """What the promotion does after a rollout that is kept."""
    draft = Release(
        number=0,
        model=model,
        partition="2026-01-01",
        dataset_id="d",
        model_id="m",
        bundle_digest=version.digest,
        image=version.image,
        outcome="first release",
        run_id="r1",
        created="2026-01-01T00:00:00+00:00",
    )
    ledger.promote(ledger.record(draft), None)


def test_undo_returns_to_the_champion_wherever_it_is_published(
    endpoint: Endpoint, versions: list[Version], where: dict[str, Any]
) -> None:
    one, two = versions
    ledger = Ledger.open(where["store"], endpoint.model)
    result = roll_out(where, one, "r1")
    container = endpoint.running()[0]
    assert result == {
        "target": "docker",
        "endpoint": f"http://127.0.0.1:{endpoint.port}",
        "image": one.image,
        "digest": one.digest,
        "container": container,
        "workers": 1,
        "open": True,
        "changed": True,
        "summary": f"rolled out {one.digest[7:19]} at http://127.0.0.1:{endpoint.port} in {container}",
    }
    assert json.loads(json.dumps(result)) == result
    again = roll_out(where, one, "r1")
    assert not again["changed"]
    assert again["summary"].startswith(f"already serving, nothing to roll out: {one.digest[7:19]} at ")
    promote(ledger, endpoint.model, one)
    ledger.turn("r1").give_back()

    roll_out(where, two, "r2")
    assert endpoint.ask()[1] == two.digest
    created = endpoint.client.api.inspect_container(container)["Created"]
    changes = {"port": endpoint.port + 1, "workers": 3, "memory": "24m", "cpus": 0.1}
    elsewhere = {**where, "target": where["target"].model_copy(update=changes)}
    undone = restore(elsewhere, "r2")
    assert undone == {"changed": True, "summary": f"returned to the champion: {result['summary']}"}
    assert endpoint.ask()[1] == one.digest
    assert endpoint.containers() == {container: "running"}, "the rejected version was kept"
    assert endpoint.client.api.inspect_container(container)["Created"] == created, "the kept container was not used"
    assert not restore(where, "r2")["changed"]


def test_undo_of_a_first_rollout_leaves_nothing_and_keys_stay_out_of_all_of_it(
    endpoint: Endpoint, versions: list[Version], where: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    result = roll_out({**where, "access": Access()}, versions[0], "r1")
    assert not result["open"]
    found = endpoint.client.api.inspect_container(result["container"])
    assert "SLIPWAY_API_KEY_HASHES=sha256:" in str(found["Config"]["Env"])
    assert found["HostConfig"]["Memory"] == 400 * 1024**2
    assert KEY not in caplog.text + str(found) + str(result)
    assert restore(where, "r1") == {"changed": True, "summary": "stopped: there was no champion to return to"}
    assert endpoint.everything() == []
