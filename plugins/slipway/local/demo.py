"""`make demo`: everything up, the data laid, one run of a model's DAG followed to its end."""

from __future__ import annotations

import os
import time
from typing import Any

from slipway.local import delivery, landing
from slipway.local.console import say
from slipway.local.environment import uses_stand_in
from slipway.local.profile import Profile, admin_password_hint

# Models whose data is one file per date are delivered as of a date, by default this one.
DEFAULT_DATES = {"flights": "2013-01-05"}


def run_demo(profile: Profile, model: str, date: str | None) -> None:
    """Deliver `model` once and say what came of it; the last line is the endpoint's."""
    began = time.monotonic()
    api = profile.up()
    if uses_stand_in(os.environ) and (count := landing.lay(model, profile.connection_to_cloud())):
        say(f"laid {count} files of {model} into s3://inbox")
    dag_id = f"deliver_{model}"
    delivery.wait_for_dag(api, dag_id, f"{model}.yaml", str(profile.service("dag-processor").log))
    run_id = delivery.start_run(api, dag_id, date or DEFAULT_DATES.get(model))
    say(f"{dag_id}, run {run_id}:")
    results = delivery.follow(api, dag_id, run_id)
    _conclude(results)
    say(f"airflow: {api.url}/dags/{dag_id} ({admin_password_hint(profile.layout)})")
    say(f"took {time.monotonic() - began:.0f} s")
    rollouts = _rollouts(results)
    if not all(rollout["open"] for rollout in rollouts):
        say(f'it wants an API key: curl -H "Authorization: Bearer $(cat {profile.layout.api_key})" ...')
    for rollout in rollouts:
        where = " (inside the cluster)" if rollout.get("reach") == "cluster" else ""
        say(f"endpoint: {rollout['endpoint']}{where}")


def _conclude(results: dict[str, dict[str, Any]]) -> None:
    decision = results.get("gate.decide_release", {})
    if decision and not decision["deploy"]:
        say(f"not deployed: {decision['reason']}")
    if not any(result.get("changed") for result in results.values()):
        say("nothing to do: dataset, model and endpoint are already in place")
    if promoted := results.get("promotion.promote_release"):
        say(promoted["summary"])


def _rollouts(results: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Where the model is served; other tasks of a rollout say how it got there."""
    tasks = [result for name, result in results.items() if name.startswith("rollout.")]
    return [result for result in tasks if "endpoint" in result]
