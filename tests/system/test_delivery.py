"""The main job, through a real scheduler: what README promises a newcomer, in the order a newcomer would try it."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.system.conftest import Embedded

REGRESSION = """
model: tips
store: s3://slipway
dataset:
  uri: s3://inbox/tips.jsonl
  target: tip
  columns: {day: {type: category}}
train:
  estimator: sklearn.ensemble.RandomForestRegressor
  params: {n_estimators: 20}
gate: {metric: rmse, minimum: 100}
deploy:
  - process: {port: 0, workers: 1}
"""


def ask(endpoint: str, features: Any, key: str | None = None) -> Any:
    body = json.dumps({"features": features}).encode()
    headers = {"Content-Type": "application/json"} | ({"X-API-Key": key} if key else {})
    request = urllib.request.Request(f"{endpoint}/predict", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["prediction"]


def test_the_demo_ends_with_an_endpoint_that_answers_and_a_second_one_does_nothing(embedded: Embedded) -> None:
    first = embedded.command("demo", "iris")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "promoted: release 1 of iris" in first.stdout
    last = first.stdout.strip().splitlines()[-1]
    assert re.fullmatch(r"endpoint: http://127\.0\.0\.1:\d+", last)
    endpoint = last.removeprefix("endpoint: ")
    assert ask(endpoint, [5.1, 3.5, 1.4, 0.2]) == "setosa"
    releases = [release.number for release in embedded.ledger("iris").releases()]
    second = embedded.command("demo", "iris")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "nothing to do: dataset, model and endpoint are already in place" in second.stdout
    assert "already stored" in second.stdout
    assert "already trained" in second.stdout
    assert "already serving, nothing to roll out" in second.stdout
    assert second.stdout.strip().splitlines()[-1] == last
    assert [release.number for release in embedded.ledger("iris").releases()] == releases == [1]


def test_a_promoted_run_leaves_nothing_to_undo(embedded: Embedded) -> None:
    """Promotion says so itself: the scheduler would see it task by task, a look at the run for each."""
    embedded.copy_model("clean")
    assert embedded.command("demo", "clean").returncode == 0
    tasks = embedded.wait("clean", embedded.trigger("clean"))
    undo = [task for name, task in tasks.items() if name.startswith("undo.")]
    assert {task["state"] for task in undo} == {"skipped"}
    assert {task["end_date"] for task in undo} == {undo[0]["end_date"]}  # all at once
    assert tasks["delivered"]["state"] == tasks[""]["state"] == "success"


def test_a_new_model_is_one_new_file(embedded: Embedded) -> None:
    """Another dataset, another format, another estimator, a regression; and as it does not say open, it wants a key."""
    import boto3

    settings = json.loads(embedded.profile.connection_to_cloud())
    rows = [{"bill": 10 + n % 40, "day": "Sun" if n % 3 else "Sat", "tip": 1 + (n % 40) / 10} for n in range(200)]
    s3 = boto3.client(
        "s3",
        endpoint_url=settings["extra"]["endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    if "inbox" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket="inbox")
    s3.put_object(Bucket="inbox", Key="tips.jsonl", Body="\n".join(json.dumps(row) for row in rows).encode())
    embedded.add_model("tips", REGRESSION)
    done = embedded.command("demo", "tips")
    assert done.returncode == 0, done.stdout + done.stderr
    endpoint = done.stdout.strip().splitlines()[-1].removeprefix("endpoint: ")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(endpoint, {"bill": 30, "day": "Sun"})
    key = embedded.profile.layout.api_key
    assert f'it wants an API key: curl -H "Authorization: Bearer $(cat {key})"' in done.stdout
    assert abs(ask(endpoint, {"bill": 30, "day": "Sun"}, key.read_text()) - 3.0) < 0.5


def test_a_broken_model_file_is_one_import_error_and_the_others_live(embedded: Embedded) -> None:
    embedded.add_model("broken", "model: broken\nstore: nowhere://x\n")
    deadline = time.monotonic() + 90
    errors: list[dict[str, Any]] = []
    while not errors and time.monotonic() < deadline:
        errors = embedded.api.get("/importErrors")["import_errors"]
        time.sleep(1)
    (embedded.profile.layout.dags / "models" / "broken.yaml").unlink()
    [error] = errors
    assert error["filename"] == "models/broken.yaml"
    assert "models/broken.yaml:1: dataset: found nothing, allowed: a value" in error["stack_trace"]
    listed = {dag["dag_id"] for dag in embedded.api.get("/dags")["dags"] if not dag["is_stale"]}
    assert {"deliver_iris", "deliver_flights", "check_connectivity"} <= listed


def test_a_rejected_dataset_fails_the_run_and_stores_nothing(embedded: Embedded) -> None:
    embedded.command("demo", "iris")
    embedded.copy_model("strict", "iris", ("petal_width: {type: number, minimum: 0}", "petal_width: {maximum: 2}"))
    done = embedded.command("demo", "strict")
    assert done.returncode == 1
    assert "deliver_strict, task dataset.store_dataset" in done.stderr
    assert "petal_width" in done.stderr
    assert "maximum" in done.stderr
    store = embedded.ledger("strict")._store
    assert [key for key in store.keys("") if key.startswith("datasets/")] == []


def test_what_this_version_cannot_do_fails_before_anything_is_trained(embedded: Embedded) -> None:
    embedded.copy_model("later", "iris", ("deploy:", "https: {domain: a.example.com, email: a@example.com}\ndeploy:"))
    done = embedded.command("demo", "later")
    assert done.returncode == 1
    assert "https: the model file declares it, but it is not part of this version of Slipway" in done.stderr
    assert list(embedded.ledger("later")._store.keys("")) == []


def test_a_failure_after_the_rollout_is_undone_newest_first(embedded: Embedded) -> None:
    """A security group that somebody else made stops the run after the rollout; the champion serves on."""
    embedded.copy_model("undone")
    assert embedded.command("demo", "undone").returncode == 0
    before = (embedded.ledger("undone").champion_release(), embedded.endpoint("undone"))
    embedded.copy_model(
        "undone", "iris", ("max_iter: 1000", "max_iter: 900"), ("name: undone-serving", "name: default")
    )
    run_id = ""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:  # until the dag-processor has read the new file
        run_id = embedded.trigger("undone", deploy="force")
        tasks = embedded.wait("undone", run_id)
        if tasks[""]["state"] == "failed":
            break
        time.sleep(5)
    assert tasks["rollout.roll_out_process"]["state"] == "success"
    assert tasks["firewall.sync_security_group_1"]["state"] == "failed"
    assert tasks["delivered"]["state"] == "upstream_failed"
    text = embedded.log("undone", run_id, tasks["firewall.sync_security_group_1"])
    assert "it has no tag slipway:model, so Slipway did not make it; it was left alone" in text
    order = [tasks[f"undo.{name}"] for name in ("restore_security_group_1", "restore_process", "return_turn")]
    assert [task["state"] for task in order[1:]] == ["success", "success"]
    assert order[0]["end_date"] <= order[1]["start_date"] <= order[2]["start_date"]
    champion = embedded.ledger("undone").champion_release()
    assert (champion, embedded.endpoint("undone")) == before
    assert champion is not None
    with urllib.request.urlopen(f"{embedded.endpoint('undone')}/v2/health/ready") as answer:
        assert answer.headers["Slipway-Bundle"] == champion.bundle_digest
