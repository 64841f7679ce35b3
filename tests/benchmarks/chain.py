"""What the chain itself costs: a first delivery of iris over a DAG of the same shape whose tasks do nothing.

Both run in one embedded profile, taking turns; a run's time is from its start to its end as Airflow records them. Every
delivery is a first one, of a model of its own: dataset stored, model trained, server started, port opened, champion moved.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from slipway.local import delivery, landing
from slipway.local.airflow_api import AirflowApi
from slipway.local.layout import Layout
from slipway.local.profile import Profile

ROOT = Path(__file__).parents[2]
ROUNDS = 5


def run(progress: Callable[[str], None]) -> dict[str, float]:
    """Median seconds of a delivery and of the floor, and the one over the other."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-chain-") as folder:
        profile = Profile(Layout(Path(folder) / "home", make_dags(Path(folder) / "dags")))
        caller = dict(os.environ)
        os.environ.pop("AIRFLOW_CONN_AWS_DEFAULT", None)
        try:
            return measure(profile, progress)
        finally:
            profile.down()
            os.environ.clear()
            os.environ |= caller


def make_dags(folder: Path) -> Path:
    """The real DAG file, a model per round, and the DAG that mirrors its shape."""
    (folder / "models").mkdir(parents=True)
    shutil.copy(ROOT / "dags" / "deliver_model.py", folder)
    shutil.copy(Path(__file__).with_name("noop_chain.py"), folder)
    text = (ROOT / "dags" / "models" / "iris.yaml").read_text()
    for number in range(ROUNDS + 1):
        name = f"iris-{number}"
        model = text.replace("model: iris", f"model: {name}").replace("iris-serving", f"{name}-serving")
        (folder / "models" / f"{name}.yaml").write_text(model)
    return folder


def measure(profile: Profile, progress: Callable[[str], None]) -> dict[str, float]:
    """One round to warm up, then the two kinds of run by turns."""
    api = profile.up()
    landing.lay("iris", profile.connection_to_cloud())
    seconds: dict[str, list[float]] = {"deliver": [], "noop": []}
    for number in range(ROUNDS + 1):
        for kind in ("noop", "deliver"):
            took = one_run(api, f"{kind}_iris-{number}")
            progress(f"round {number}{' (warm-up)' if number == 0 else ''}: {kind} {took:.1f} s")
            if number:
                seconds[kind].append(took)
    deliver, noop = (statistics.median(seconds[kind]) for kind in ("deliver", "noop"))
    return {"chain.overhead": deliver / noop, "chain.deliver_seconds": deliver, "chain.noop_seconds": noop}


def one_run(api: AirflowApi, dag_id: str) -> float:
    """Trigger a run, wait for its end, return its seconds."""
    delivery.wait_for_dag(api, dag_id, f"{dag_id.removeprefix('deliver_')}.yaml", "the dag-processor's log")
    run_id = str(api.post(f"/dags/{dag_id}/dagRuns", {"logical_date": datetime.now(UTC).isoformat()})["dag_run_id"])
    delivery.follow(api, dag_id, run_id, say=lambda _: None)
    path = f"/dags/{dag_id}/dagRuns/{run_id.replace('+', '%2B').replace(':', '%3A')}"
    found = api.get(path)
    started, ended = (datetime.fromisoformat(found[name]) for name in ("start_date", "end_date"))
    return (ended - started).total_seconds()
