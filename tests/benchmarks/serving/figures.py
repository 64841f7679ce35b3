"""The flat figures: ours, and ours over the best of each group."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator

from tests.benchmarks.serving.load import Measurement
from tests.benchmarks.serving.plan import Case
from tests.benchmarks.serving.results import BARE, Results
from tests.benchmarks.serving.servers import FLASK_HELLO, ONNX_PEER, OURS, PEER, WSGI_HELLO, Server

GROUPS = {
    "vs_best_peer": PEER,
    "vs_best_onnx_peer": ONNX_PEER,
    "vs_flask_hello": FLASK_HELLO,
    "vs_wsgi_hello": WSGI_HELLO,
}


def figures(
    results: Results, models: Iterable[str], servers: Iterable[Server], cases: Iterable[Case]
) -> dict[str, float]:
    """`serving.<model>.<case>.<figure>`; what is void or was not measured has no figure."""
    servers = list(servers)
    found: dict[str, float] = {}
    for model in models:
        for case in cases:
            for name, value in _of_case(results, model, servers, case):
                found[f"serving.{model}.{case.name}.{name}"] = value
        for name in ("cold_start_seconds", "pss_mb_per_worker"):
            if rounds := getattr(results, name).get((model, OURS)):
                found[f"serving.{model}.{name}"] = statistics.median(rounds)
    return found


def _of_case(results: Results, model: str, servers: list[Server], case: Case) -> Iterator[tuple[str, float]]:
    ours = results.summary(model, OURS, case.name)
    if ours is None or ours.reason:
        return
    yield "rps", ours.rps
    for name, group in GROUPS.items():
        if them := _of_group(results, model, servers, group, case):
            yield name, ours.rps / max(one.rps for one in them)
    if them := _of_group(results, model, servers, PEER, case):
        yield "p99_vs_best_peer", ours.p99_ms / min(one.p99_ms for one in them)
    bare = results.summary(model, BARE, BARE)
    if case.form != "json" and bare is not None:
        yield "vs_bare", ours.rps / bare.rps


def _of_group(results: Results, model: str, servers: list[Server], group: str, case: Case) -> list[Measurement]:
    of_group = (results.summary(model, server.name, case.name) for server in servers if server.group == group)
    return [one for one in of_group if one is not None and not one.reason]
