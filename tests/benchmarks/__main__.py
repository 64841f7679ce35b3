"""`make bench [ONLY=chain]`: run the benchmarks, print their figures against the bounds, write build/bench.json."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

BENCHMARKS = ("dags", "dataset", "training", "chain", "image", "serving")
SERVED = ("iris", "forest", "boosting")
# What the project promises of each figure; the others are told for information.
AT_MOST = {
    "chain.overhead": 1.5,
    "dags.parse_ms_per_model": 25,
    "dags.parse_ms_per_model_10": 25,
    "dags.parse_ms_per_model_500": 25,
    "dataset.rss_mb": 300,
    "image.daemonless_ratio": 0.2,
    "image.size_vs_peers": 0.45,
    "image.start_to_ready_seconds": 1.5,
    "training.overhead": 1.3,
    "serving.forest.rows1_conn16.p99_vs_best_peer": 1.0,
    **{f"serving.{model}.cold_start_seconds": 1.0 for model in SERVED},
    **{f"serving.{model}.pss_mb_per_worker": 120 for model in SERVED},
}
AT_LEAST = {
    "serving.forest.rows1_conn16.vs_best_peer": 25,
    "serving.forest.rows1_conn16.vs_best_onnx_peer": 2.0,
    "serving.forest.rows1_conn16.vs_flask_hello": 1.0,
    **{f"serving.{model}.rows10000_conn16_json.vs_best_peer": 2.0 for model in SERVED},
    **{f"serving.{model}.rows10000_conn16_{form}.vs_bare": 0.8 for model in SERVED for form in ("arrow", "binary")},
}
RESULT = Path(__file__).parents[2] / "build" / "bench.json"


def main(only: list[str]) -> int:
    """Run the named benchmarks, or all; returns the exit code: 1 if a figure misses its bound, or is not there."""
    if unknown := sorted(set(only) - set(BENCHMARKS)):
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    figures: dict[str, float] = {}
    names = tuple(only) or BENCHMARKS
    for name in names:
        print(f"{name}:", flush=True)
        module = importlib.import_module(f"tests.benchmarks.{name}")
        figures |= module.run(lambda text: print(f"  {text}", flush=True))
    print(table(figures))
    if absent := [name for name in AT_MOST | AT_LEAST if name.split(".")[0] in names and name not in figures]:
        print("promised, but not measured:", *absent, sep="\n  ")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=2) + "\n")
    print(f"written to {RESULT.relative_to(Path.cwd()) if RESULT.is_relative_to(Path.cwd()) else RESULT}")
    return 1 if absent or any(missed(name, value) for name, value in figures.items()) else 0


def table(figures: dict[str, float]) -> str:
    """Name, value and bound, one figure a line."""
    width = max(34, *map(len, figures)) if figures else 34
    lines = [f"{'figure':{width}} {'value':>12} {'promised':>10}"]
    for name, value in figures.items():
        lines.append(f"{name:{width}} {value:>12.3f} {promise(name):>10}{'  MISSED' if missed(name, value) else ''}")
    return "\n".join(lines)


def promise(name: str) -> str:
    """The bound as text, empty where nothing is promised."""
    return f"<= {AT_MOST[name]}" if name in AT_MOST else f">= {AT_LEAST[name]}" if name in AT_LEAST else ""


def missed(name: str, value: float) -> bool:
    """Whether the figure breaks its bound."""
    return value > AT_MOST.get(name, value) or value < AT_LEAST.get(name, value)


if __name__ == "__main__":
    sys.exit(main([name for name in " ".join(sys.argv[1:]).replace(",", " ").split() if name]))
