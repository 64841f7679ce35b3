"""What a person reads: a table per model and case with every server, then cold start, memory and size."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping

from tests.benchmarks.serving.plan import Case
from tests.benchmarks.serving.results import BARE, Results
from tests.benchmarks.serving.servers import Server

NAME = 22


def report(
    results: Results,
    models: Iterable[str],
    servers: Iterable[Server],
    cases: Iterable[Case],
    sizes_mb: Mapping[str, float],
) -> str:
    """All that was measured, void figures with their reason."""
    servers, cases = list(servers), list(cases)
    lines: list[str] = []
    for model in models:
        for case in cases:
            rows = list(_case_rows(results, model, servers, case))
            if rows:
                lines += [
                    f"{model}, {case.name}",
                    _heads("requests/s", "rows/s", "p50 ms", "p99 ms", "errors"),
                    *rows,
                    "",
                ]
        lines += [f"{model}, the process", _heads("cold s", "PSS MB/worker", "installed MB")]
        lines += [_process_row(results, model, server, sizes_mb) for server in servers]
        lines.append("")
    return "\n".join(lines)


def _case_rows(results: Results, model: str, servers: list[Server], case: Case) -> Iterator[str]:
    for server in servers:
        if (one := results.summary(model, server.name, case.name)) is None:
            continue
        if one.reason:
            yield f"  {server.name:{NAME}} void: {one.reason}"
            continue
        yield f"  {server.name:{NAME}}" + _cells(
            f"{one.rps:,.1f}", f"{one.rps * case.rows:,.0f}", f"{one.p50_ms:,.2f}", f"{one.p99_ms:,.2f}", "0"
        )
    bare = results.summary(model, BARE, BARE)
    if case.form != "json" and bare is not None:
        yield f"  {BARE:{NAME}}" + _cells(f"{bare.rps:,.1f}", f"{bare.rps * case.rows:,.0f}")


def _process_row(results: Results, model: str, server: Server, sizes_mb: Mapping[str, float]) -> str:
    seconds = results.cold_start_seconds.get((model, server.name))
    memory = results.pss_mb_per_worker.get((model, server.name))
    return f"  {server.name:{NAME}}" + _cells(
        f"{statistics.median(seconds):.2f}" if seconds else "-",
        f"{statistics.median(memory):.0f}" if memory else "-",
        f"{sizes_mb[server.environment]:.0f}",
    )


def _heads(*texts: str) -> str:
    return f"  {'':{NAME}}" + _cells(*texts)


def _cells(*texts: str) -> str:
    return "".join(f"{text:>14}" for text in texts)
