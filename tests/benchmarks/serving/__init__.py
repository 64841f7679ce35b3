"""The model server against the servers people use, and against what its own web server can do at all.

`make bench ONLY=serving`. Three bundles (logistic regression on iris, a forest of 100 trees on breast cancer, histogram
gradient boosting on flights), made by the project's own code. Four groups, each server in an environment of its own:

- peers as shipped, with the fitted pipeline: MLServer, BentoML with adaptive batching, MLflow, FastAPI on uvicorn, Flask's
  own server, Flask behind gunicorn;
- peers given the same ONNX graph: FastAPI on uvicorn and on granian, Litestar on granian;
- the floors, on the web server that ours runs on: a Flask route and a WSGI callable that read the body and answer a constant;
- bare: `session.run` in two processes, for the large Arrow and binary requests.

The grid: one row at 1, 16 and 64 connections, 100 rows at 16, 10,000 rows at 1 and 16. The rest of the nine (100 rows at 1
and 64, 10,000 rows at 64) is half as much again to measure of every server, and comes with SLIPWAY_BENCH_FULL=1. The floors
get no 10,000 rows: their answer does not depend on them.

Fair: each round measures every server in turn, one at a time; figures are medians over the rounds; an answer is compared
with scikit-learn's labels before its server is measured; a figure with a single error is void and says why. A slow
server's measurement with large requests lasts longer, so that what it has in hand at the end does not count against it.
The peers' pipeline takes plain arrays where there are no categories, as that of a person who trained on numbers would.
Memory is the PSS of all of a server's processes after the load, by the number of its workers.

A default run takes about 40 minutes on two cores. A quick one: `SLIPWAY_BENCH_ROUNDS=1 SLIPWAY_BENCH_SECONDS=1
SLIPWAY_BENCH_MODELS=forest SLIPWAY_BENCH_SERVERS=slipway,fastapi SLIPWAY_BENCH_CASES=rows1_conn16`.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.serving.bare import bare_rate
from tests.benchmarks.serving.bundles import ServedModel, make_model
from tests.benchmarks.serving.environments import ensure_environment, installed_mb
from tests.benchmarks.serving.figures import figures
from tests.benchmarks.serving.load import Measurement, require_wrk
from tests.benchmarks.serving.plan import Plan
from tests.benchmarks.serving.report import report
from tests.benchmarks.serving.results import BARE, Results
from tests.benchmarks.serving.servers import OURS, ROOT, SERVERS, Server
from tests.benchmarks.serving.visit import Visit

FOLDER = ROOT / "build" / "bench-serving"


def run(progress: Callable[[str], None]) -> dict[str, float]:
    """All figures; every server's measurements are printed, and written to build/bench-serving/report.txt."""
    require_wrk()
    plan = Plan.read(os.environ)
    servers = choose(plan)
    environments = {
        server.environment: ensure_environment(FOLDER / "env" / server.environment, server.requirements, progress)
        for server in servers
    }
    models = [make_model(name, FOLDER / "bundles" / name) for name in plan.models]
    results = measure(plan, models, servers, environments, progress)
    sizes_mb = {name: installed_mb(folder) for name, folder in environments.items()}
    text = report(results, plan.models, servers, plan.cases, sizes_mb)
    print(text)
    (FOLDER / "report.txt").write_text(text)
    found = figures(results, plan.models, servers, plan.cases)
    return found | ({"serving.installed_mb": sizes_mb[OURS]} if OURS in sizes_mb else {})


def measure(
    plan: Plan,
    models: list[ServedModel],
    servers: list[Server],
    environments: dict[str, Path],
    progress: Callable[[str], None],
) -> Results:
    """The rounds: in each, every server of every model in turn, never two at a time."""
    visits = {
        model.name: [
            Visit(server, model, environments[server.environment], FOLDER / "work" / server.name, plan.seconds)
            for server in servers
        ]
        for model in models
    }
    for visit in itertools.chain(*visits.values()):
        visit.prepare()
    results = Results()
    for number, model in itertools.product(range(plan.rounds), models):
        for visit in visits[model.name]:
            began = time.monotonic()
            visit.measure(plan.cases, results)
            took = time.monotonic() - began
            progress(f"round {number + 1} of {plan.rounds}, {model.name}: {visit.server.name} in {took:.0f} s")
        if OURS in environments and any(case.form != "json" for case in plan.cases):
            rate = bare_rate(environments[OURS], model, FOLDER / "work", plan.seconds)
            results.add_load(model.name, BARE, BARE, Measurement(rate, 0, 0))
    return results


def choose(plan: Plan) -> list[Server]:
    """The plan's servers, in the table's order.

    Raises:
        RuntimeError: a name that is not in the table.
    """
    known = [server.name for server in SERVERS]
    if unknown := sorted(set(plan.servers or ()) - set(known)):
        raise RuntimeError(f"no server {', '.join(unknown)}; there are {', '.join(known)}")
    return [server for server in SERVERS if plan.servers is None or server.name in plan.servers]
