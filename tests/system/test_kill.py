"""`kill -9` of the task process in each station, then Airflow's retry: the same end as a clean run."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import Embedded

MOMENTS = {
    "upload-before": ("dataset.store_dataset", "S3Store.upload", "before"),
    "upload-after": ("dataset.store_dataset", "S3Store.upload", "after"),
    "train": ("training.train_model", "S3Store.upload", "after"),
    "evaluate": ("training.evaluate_model", "S3Store.write", "after"),
    "rollout-wish": ("rollout.roll_out_process", "ProcessTarget.write_desired", "after"),
    "rollout-done": ("rollout.roll_out_process", "ProcessTarget.ensure_serving", "after"),
    "firewall-group": ("firewall.sync_security_group_1", "Ec2FirewallHook.create_group", "after"),
    "firewall-rules": ("firewall.sync_security_group_1", "Ec2FirewallHook.authorize", "after"),
    "promotion-record": ("promotion.promote_release", "S3Store.create", "after"),
}


@pytest.fixture(scope="module")
def ended(embedded: Embedded) -> dict[str, dict[str, Any]]:
    """A clean run and one killed run per moment, all at once; their task instances by moment."""
    assert embedded.command("demo", "iris").returncode == 0
    plans = Path(os.environ["SLIPWAY_TEST_KILL_PLANS"])
    for name, (task, call, when) in MOMENTS.items():
        plan = {"task": task, "call": call, "when": when}
        (plans / f"deliver_kill-{name}.json").write_text(json.dumps(plan))
    names = ["clean", *MOMENTS]
    for name in names:
        embedded.copy_model(f"kill-{name}")
    runs = {name: embedded.trigger(f"kill-{name}") for name in names}
    return {name: embedded.wait(f"kill-{name}", run_id, 600) for name, run_id in runs.items()}


@pytest.mark.parametrize("name", MOMENTS)
def test_a_killed_task_is_retried_and_ends_like_a_clean_run(
    embedded: Embedded, ended: dict[str, dict[str, Any]], name: str
) -> None:
    tasks = ended[name]
    assert (Path(os.environ["SLIPWAY_TEST_KILL_PLANS"]) / f"deliver_kill-{name}.done").exists(), "nothing was killed"
    assert tasks[MOMENTS[name][0]]["try_number"] == 2
    assert tasks[""]["state"] == "success"
    assert end_state(embedded, f"kill-{name}") == end_state(embedded, "kill-clean")


def end_state(embedded: Embedded, model: str) -> dict[str, Any]:
    """All that a run leaves behind, without what names the model, the run or the time."""
    store = embedded.ledger(model)._store
    found = (key.replace(model, "model") for key in store.keys(""))
    keys = sorted(re.sub(r"[0-9a-f]{8,}|\d{4}-\d\d-\d\dT[^/]*", "*", key) for key in found)
    release = embedded.ledger(model).champion_release()
    assert release is not None
    with urllib.request.urlopen(f"{embedded.endpoint(model)}/v2/health/ready") as answer:
        serves_the_champion = answer.headers["Slipway-Bundle"] == release.bundle_digest
    return {
        "keys": keys,
        "release": (release.number, release.outcome, release.previous, release.dataset_id),
        "rules": [(rule["rules"], rule["name"] == f"{model}-serving") for rule in release.rules],
        "serves_the_champion": serves_the_champion,
        "groups": groups(embedded, f"{model}-serving"),
    }


def groups(embedded: Embedded, name: str) -> list[list[int]]:
    """The open ports of every security group of that name: exactly one group, each port once."""
    import boto3

    settings = json.loads(embedded.profile.connection_to_cloud())
    ec2 = boto3.client(
        "ec2",
        endpoint_url=settings["extra"]["endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"]
    return [[permission["FromPort"] for permission in group["IpPermissions"]] for group in found]
