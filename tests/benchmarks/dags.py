"""What one model file costs the scheduler at every parse, with 10 and with 500 of them.

Each parse runs as Airflow's dag-processor runs it: a process of its own, in which Airflow is imported already and our
modules are not, so their import counts.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARSE = """
import sys, time
from airflow.dag_processing.dagbag import DagBag
import airflow.serialization.serialized_objects
started = time.perf_counter()
bag = DagBag(sys.argv[1])
seconds = time.perf_counter() - started
assert not bag.import_errors, bag.import_errors
assert len(bag.dags) == int(sys.argv[2]), len(bag.dags)
print(seconds)
"""


def run(progress: Callable[[str], None]) -> dict[str, float]:
    """Milliseconds per model file, median of 5, the two sizes interleaved."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-dags-") as folder:
        folders = {count: make_folder(Path(folder) / str(count), count) for count in (10, 500)}
        seconds: dict[int, list[float]] = {count: [] for count in folders}
        for attempt in range(5):
            for count, dags in folders.items():
                seconds[count].append(parse(dags, count))
                progress(f"parse {attempt + 1} of {count} model files: {seconds[count][-1] * 1000:.0f} ms")
    figures = {f"dags.parse_ms_per_model_{n}": statistics.median(s) * 1000 / n for n, s in seconds.items()}
    return {"dags.parse_ms_per_model": max(figures.values()), **figures}


def make_folder(folder: Path, count: int) -> Path:
    """A DAG folder with `count` models, all like flights."""
    (folder / "models").mkdir(parents=True)
    shutil.copy(ROOT / "dags" / "deliver_model.py", folder)
    text = (ROOT / "dags" / "models" / "flights.yaml").read_text()
    for number in range(count):
        (folder / "models" / f"flights-{number}.yaml").write_text(
            text.replace("model: flights", f"model: flights-{number}")
        )
    return folder


def parse(dags: Path, count: int) -> float:
    """Seconds that one parse of the folder takes in a fresh process."""
    result = subprocess.run(
        [sys.executable, "-c", PARSE, str(dags), str(count)], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise RuntimeError(result.stderr[-2000:])
    return float(result.stdout.split()[-1])
