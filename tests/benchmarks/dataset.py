"""Ingestion of a 2 GB CSV into a folder: peak memory of the process that does it, and megabytes per second."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SIZE_BYTES = 2_000_000_000
ROOT = Path(__file__).parents[2]
BLOCK_ROWS = 200_000


def run(progress: Callable[[str], None]) -> dict[str, float]:
    """Returns ``dataset.rss_mb`` (interpreter and pyarrow included) and ``dataset.mb_per_second``."""
    folder = ROOT / "build" / "bench-dataset"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        progress(f"writing a CSV of {SIZE_BYTES / 1e9:.0f} GB")
        size_bytes = generate(folder / "rows.csv")
        progress("hashing, validating and storing it in a process of its own")
        figures = measured(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"dataset.rss_mb": figures["rss_mb"], "dataset.mb_per_second": size_bytes / 1e6 / figures["seconds"]}


def generate(path: Path) -> int:
    """Eight columns, the same bytes every time; returns the size in bytes."""
    block = random_rows()
    header, _, body = block.partition(b"\n")
    with path.open("wb") as file:
        file.write(header + b"\n")
        for _ in range(SIZE_BYTES // len(body) + 1):
            file.write(body)
    return path.stat().st_size


def random_rows() -> bytes:
    """A block of rows as CSV."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    random = np.random.default_rng(0)
    table = pa.table(
        {
            "distance": random.uniform(0, 5000, BLOCK_ROWS),
            "hour": random.integers(0, 24, BLOCK_ROWS),
            "delay": random.normal(0, 30, BLOCK_ROWS).round(2),
            "carrier": random.choice(["AA", "UA", "DL", "WN"], BLOCK_ROWS),
            "origin": random.choice(["JFK", "LGA", "EWR"], BLOCK_ROWS),
            "late": random.integers(0, 2, BLOCK_ROWS),
            "wind": random.normal(size=BLOCK_ROWS),
            "rain": random.normal(size=BLOCK_ROWS),
        }
    )
    buffer = io.BytesIO()
    pa_csv.write_csv(table, buffer)
    return buffer.getvalue()


def measured(folder: Path) -> dict[str, float]:
    """What the process reports of itself: ``rss_mb`` and ``seconds``."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "plugins")}
    command = [sys.executable, __file__, str(folder)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def ingest_and_report(folder: Path) -> None:
    """The measured process."""
    begin = time.monotonic()
    from slipway.core.model_file import Dataset
    from slipway.dataset.ingestion import ingest
    from slipway.storage.file_store import FileStore

    uri, store = str(folder / "rows.csv"), FileStore(folder / "store")
    dataset = Dataset(uri=uri, target="late")
    (folder / "work").mkdir()
    ingest(uri, None, dataset, store, champion_schema=None, champion_label="", work_dir=folder / "work")
    seconds = time.monotonic() - begin
    sys.stdout.write(json.dumps({"rss_mb": peak_rss_mb(), "seconds": seconds}))


def peak_rss_mb() -> float:
    """The most memory this process had; ru_maxrss would begin with that of the process which started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    ingest_and_report(Path(sys.argv[1]))
