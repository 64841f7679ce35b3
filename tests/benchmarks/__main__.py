"""`make bench [ONLY=chain]`: run the benchmarks, print their figures against the bounds, write build/bench.json."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

BENCHMARKS = ("dags", "dataset", "training", "chain", "serving")
# What the project promises of each figure; the others are told for information.
BOUNDS = {
    "chain.overhead": 1.5,
    "dags.parse_ms_per_model": 25,
    "dags.parse_ms_per_model_10": 25,
    "dags.parse_ms_per_model_500": 25,
    "dataset.rss_mb": 300,
    "training.overhead": 1.3,
}
RESULT = Path(__file__).parents[2] / "build" / "bench.json"


def main(only: list[str]) -> int:
    """Run the named benchmarks, or all; returns the exit code: 1 if a figure misses its bound."""
    if unknown := sorted(set(only) - set(BENCHMARKS)):
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    figures: dict[str, float] = {}
    for name in only or BENCHMARKS:
        print(f"{name}:", flush=True)
        module = importlib.import_module(f"tests.benchmarks.{name}")
        figures |= module.run(lambda text: print(f"  {text}", flush=True))
    print(table(figures))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=2) + "\n")
    print(f"written to {RESULT.relative_to(Path.cwd()) if RESULT.is_relative_to(Path.cwd()) else RESULT}")
    return 1 if any(value > BOUNDS.get(name, value) for name, value in figures.items()) else 0


def table(figures: dict[str, float]) -> str:
    """Name, value and bound, one figure a line."""
    lines = [f"{'figure':34} {'value':>10} {'at most':>8}"]
    for name, value in figures.items():
        bound = BOUNDS.get(name)
        mark = "" if bound is None or value <= bound else "  MISSED"
        lines.append(f"{name:34} {value:>10.3f} {bound if bound is not None else '':>8}{mark}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main([name for name in " ".join(sys.argv[1:]).replace(",", " ").split() if name]))
