"""`make backfill`: past partitions through Airflow's own backfill, and the ledger's verdict on each."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from slipway.core.errors import ConfigurationError, RejectedError, SlipwayError, UnavailableError
from slipway.core.model_file import ModelFile, parse_model_file
from slipway.core.partition import partition_order
from slipway.core.release import Decision
from slipway.local import delivery, landing
from slipway.local.airflow_api import AirflowApi
from slipway.local.console import say
from slipway.local.environment import uses_stand_in
from slipway.local.profile import Profile
from slipway.release.ledger import Ledger

TIMEOUT_SECONDS = 3600


@dataclass(frozen=True)
class Span:
    """What to backfill, and how Airflow should go about it."""

    first: str
    last: str
    reverse: bool = False
    parallel: int = 1
    reprocess: str = "none"


def run_backfill(profile: Profile, model_name: str, span: Span) -> None:
    """Backfill `span` of a model's partitions, then print what the ledger holds of them."""
    model = _read(profile, model_name)
    api = profile.up()
    if uses_stand_in(os.environ):
        landing.lay(model_name, profile.connection_to_cloud())
    delivery.wait_for_dag(api, model.dag_id, f"{model_name}.yaml", str(profile.service("dag-processor").log))
    created = _create(api, model.dag_id, span)
    if created is None:
        say(f"every date from {span.first} to {span.last} already has a run: nothing to do")
    else:
        _follow(api, model.dag_id, created)
    _print_ledger(profile, model, span)


def _read(profile: Profile, name: str) -> ModelFile:
    path = profile.layout.dags / "models" / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise ConfigurationError("could not backfill", on=name, why=f"there is no {path}", fix=f"There are: {known}.")
    model = parse_model_file(path.read_text(), path.name)
    if model.schedule is None:
        raise ConfigurationError(
            "could not backfill",
            on=name,
            why="its model file has no schedule",
            fix="Give it one, e.g. schedule: '@daily'.",
        )
    return model


def _create(api: AirflowApi, dag_id: str, span: Span) -> int | None:
    """Create the backfill; None if every date has a run already."""
    body: dict[str, Any] = {
        "dag_id": dag_id,
        "from_date": f"{span.first}T00:00:00Z",
        "to_date": f"{span.last}T00:00:00Z",
        "run_backwards": span.reverse,
        "max_active_runs": span.parallel,
        "reprocess_behavior": span.reprocess,
    }
    if not api.post("/backfills/dry_run", body)["backfills"]:
        return None
    return int(api.post("/backfills", body)["id"])


def _follow(api: AirflowApi, dag_id: str, backfill_id: int) -> None:
    told: dict[str, str] = {}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        runs = api.get(f"/dags/{dag_id}/dagRuns", run_type="backfill", limit="500", order_by="end_date")["dag_runs"]
        for run in runs:
            if run["state"] in {"success", "failed"} and told.get(run["dag_run_id"]) != run["end_date"]:
                told[run["dag_run_id"]] = run["end_date"]
                say(f"  {run['state']:8} {run['logical_date'][:10]}")
        if api.get(f"/backfills/{backfill_id}")["completed_at"]:
            if failed := [run["logical_date"][:10] for run in runs if run["state"] == "failed"]:
                raise RejectedError(
                    "runs of the backfill failed", on=dag_id, why=", ".join(failed), fix=f"See {api.url}."
                )
            return
        time.sleep(1)
    raise UnavailableError("could not see the backfill end", on=dag_id, why="time ran out", fix=f"See {api.url}.")


def _print_ledger(profile: Profile, model: ModelFile, span: Span) -> None:
    os.environ.setdefault("AIRFLOW_CONN_AWS_DEFAULT", profile.connection_to_cloud())
    ledger = Ledger.open(model.store, model.model, model.store_conn_id)
    low, high = partition_order(span.first), partition_order(f"{span.last}T23:59:59")
    say(f"{'partition':22} {'outcome':15} {'deployed':9} {'candidate':34} measured against")
    for decision in ledger.decisions():
        if low <= partition_order(decision.partition) <= high:
            say(_row(decision))
    try:
        release = ledger.champion_release()
    except SlipwayError as error:
        raise UnavailableError(
            "could not read the champion", on=model.model, why=str(error), fix="Run again."
        ) from error
    if release:
        say(f"champion: release {release.number}, partition {release.partition}")


def _row(decision: Decision) -> str:
    comparison = decision.comparison
    against = f"release {comparison.champion.release} ({comparison.champion.partition})" if comparison.champion else "-"
    score = f"{comparison.metric} {comparison.candidate}"
    deployed = "yes" if decision.deploy else "no"
    return f"{decision.partition:22} {decision.outcome:15} {deployed:9} {score:34} {against}"
