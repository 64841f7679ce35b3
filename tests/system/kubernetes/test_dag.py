"""`deploy: kubernetes` through a real scheduler and triggerer: first release, canary, a killed task, and undo."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.local import landing
from slipway.rollout.kubernetes.names import object_name
from tests.system.conftest import Embedded
from tests.system.kubernetes.place import CONNECTION, Place

MODEL = "canary-iris"
REGISTRY = "registry_of_the_tests"
STRATEGY = "strategy: {canary: {steps: [50], analysis: {interval_seconds: 1, count: 2}}}"
NEW_VERSION = ("max_iter: 1000", "max_iter: 900")


@pytest.fixture(scope="module")
def airflow(embedded: Embedded, place: Place) -> Iterator[Embedded]:
    """With a connection to the cluster, made as a person makes it in the UI."""
    landing.lay("iris", embedded.profile.connection_to_cloud())  # the example data, and no release of iris
    connection = json.loads(place.connection)
    connect(embedded, CONNECTION, conn_type="kubernetes", extra=json.dumps(connection["extra"]))
    if place.login:
        login = {"host": place.login["serveraddress"], "login": place.login["username"]}
        connect(embedded, REGISTRY, conn_type="docker", password=place.login["password"], **login)
    yield embedded
    from slipway.cluster.applying import Applier
    from slipway.rollout.kubernetes.names import labels

    Applier(place.cluster, labels(MODEL)).prune([])


def connect(airflow: Embedded, conn_id: str, **fields: str) -> None:
    airflow.api.post("/connections", {"connection_id": conn_id} | fields)


def add(airflow: Embedded, place: Place, *more: tuple[str, str]) -> None:
    login, secret = (f", conn_id: {REGISTRY}", f", pull_secret: {place.pull_secret}") if place.login else ("", "")
    image = f"{{repository: {place.registry}/models/{MODEL}, engine_conn_id: docker_default{login}}}"
    small = f"replicas: 2, cpu: 100m, memory: 256Mi, timeout_minutes: 10{secret}"
    target = f"kubernetes: {{conn_id: {CONNECTION}, namespace: {place.namespace}, {small}, {STRATEGY}}}"
    airflow.copy_model(
        MODEL, "iris", ("deploy:\n", f"image: {image}\ndeploy:\n"), ("process: {port: 0, workers: 1}", target), *more
    )


def deliver_changed(airflow: Embedded, task: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """Runs until the dag-processor has read the changed file, which the task's result shows."""
    for _ in range(8):
        run_id = airflow.trigger(MODEL, deploy="force")
        done = airflow.wait(MODEL, run_id, 400)
        found = done.get(f"rollout.{task}", {"state": None})
        result = airflow.api.xcom(f"deliver_{MODEL}", run_id, f"rollout.{task}") if found["state"] == "success" else {}
        if found["state"] == "failed" or done[""]["state"] == "failed" or result.get("changed"):
            return run_id, done
    raise AssertionError("the changed model file was never read")


def test_a_model_is_delivered_replaced_by_canary_and_brought_back(airflow: Embedded, place: Place) -> None:
    add(airflow, place)
    run_id = airflow.trigger(MODEL)
    first = airflow.wait(MODEL, run_id, 500)
    assert first[""]["state"] == "success", [name for name, task in first.items() if task["state"] == "failed"]
    assert "nothing serves yet" in airflow.api.xcom(f"deliver_{MODEL}", run_id, "rollout.shift_traffic_50")["summary"]
    planned = airflow.api.xcom(f"deliver_{MODEL}", run_id, "rollout.plan_kubernetes")
    assert f"Deployment/{object_name(MODEL)}" in planned["create"]
    release = airflow.ledger(MODEL).champion_release()
    assert release is not None
    [target] = release.targets
    assert target["endpoint"] == f"http://{object_name(MODEL)}.{place.namespace}.svc"
    assert served(place) == {release.bundle_digest.removeprefix("sha256:")[:12]}

    add(airflow, place, NEW_VERSION)
    plan = Path(os.environ["SLIPWAY_TEST_KILL_PLANS"]) / f"deliver_{MODEL}.json"
    # Killed once the canary stands: what follows must find it, and not begin anew.
    plan.write_text(json.dumps({"task": "rollout.roll_out_kubernetes", "call": "Cluster.apply", "when": "after"}))
    run_id, second = deliver_changed(airflow, "shift_traffic_50")
    assert plan.with_suffix(".done").exists(), "nothing was killed"
    assert second[""]["state"] == "success", [name for name, task in second.items() if task["state"] == "failed"]
    assert second["rollout.roll_out_kubernetes"]["try_number"] == 2
    analysed = airflow.api.xcom(f"deliver_{MODEL}", run_id, "rollout.analyse_canary_50")
    assert analysed["phase"] == "Successful"
    promoted = airflow.ledger(MODEL).champion_release()
    assert promoted is not None
    assert promoted.number == release.number + 1
    assert served(place) == {promoted.bundle_digest.removeprefix("sha256:")[:12]}

    # A third version, and a security group that somebody else made: the run fails after the rollout.
    add(airflow, place, ("max_iter: 1000", "max_iter: 800"), (f"name: {MODEL}-serving", "name: default"))
    run_id, third = deliver_changed(airflow, "shift_traffic_50")
    assert third["rollout.roll_out_kubernetes"]["state"] == "success"
    assert third["firewall.sync_security_group_1"]["state"] == "failed"
    assert third["undo.restore_kubernetes"]["state"] == "success"
    assert third["undo.verify_restored"]["state"] == "success"
    assert served(place) == {promoted.bundle_digest.removeprefix("sha256:")[:12]}


def served(place: Place) -> set[str]:
    """The first digits of the bundles of all pods that are to stay."""
    pods = place.cluster.list("Pod", {"slipway.dev/model": MODEL})
    return {
        pod["metadata"]["labels"]["slipway.dev/bundle"] for pod in pods if "deletionTimestamp" not in pod["metadata"]
    }
