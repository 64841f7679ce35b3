"""A file ten times as large costs no more memory; measured as the peak of a process of its own."""

from __future__ import annotations

import gzip
import os
import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from slipway.core.model_file import Dataset
from slipway.dataset.ingestion import ingest
from slipway.storage.file_store import FileStore

LINE = "{0},{1}.25,k{2},{3}\n"
MAX_GROWTH_MB = 60


def rows(count: int) -> str:
    return "".join(LINE.format(number, number % 1013, number % 7, number % 2) for number in range(count))


def write_csv(path: Path, megabytes: int) -> None:
    body = rows(50_000)
    with path.open("w") as file:
        file.write("n,x,c,y\n")
        for _ in range(megabytes * 10**6 // len(body)):
            file.write(body)


def write_csv_gz(path: Path, megabytes: int) -> None:
    body = rows(50_000)
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write("n,x,c,y\n")
        for _ in range(megabytes * 10**6 // len(body)):
            file.write(body)


def write_json_lines(path: Path, megabytes: int) -> None:
    body = "".join(f'{{"n": {n}, "x": {n % 1013}.25, "c": "k{n % 7}", "y": {n % 2}}}\n' for n in range(50_000))
    with path.open("w") as file:
        for _ in range(megabytes * 10**6 // 4 // len(body)):
            file.write(body)


def write_parquet(path: Path, megabytes: int) -> None:
    """One row group, so that only reading page by page stays flat."""
    count = megabytes * 10**6 // 40
    numbers = pa.array(range(count))
    words = pa.array([f"word number {number % 7919} of many" for number in range(count)])
    table = pa.table({"x": numbers, "c": words, "y": pa.array([number % 2 for number in range(count)])})
    pa_parquet.write_table(table, path, row_group_size=count, use_dictionary=False, compression="none")


WRITERS = {"csv": write_csv, "csv.gz": write_csv_gz, "jsonl": write_json_lines, "parquet": write_parquet}


@pytest.mark.parametrize(
    ("kind", "duplicates"),
    [("csv", "allow"), ("csv", "reject"), ("csv.gz", "allow"), ("jsonl", "allow"), ("parquet", "allow")],
)
def test_peak_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str, duplicates: str) -> None:
    peaks = []
    for megabytes in (20, 200):
        path = tmp_path / f"{megabytes}.{kind}"
        WRITERS[kind](path, megabytes)
        peaks.append(peak_mb(path, tmp_path / f"work{megabytes}", duplicates))
        path.unlink()
    assert peaks[1] - peaks[0] < MAX_GROWTH_MB, peaks


def peak_mb(path: Path, work_dir: Path, duplicates: str) -> float:
    work_dir.mkdir()
    command = [sys.executable, __file__, str(path), str(work_dir), duplicates]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": "plugins"}, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def main(path: str, work_dir: str, duplicates: str) -> None:
    from slipway.core.errors import RejectedError

    dataset = Dataset.model_validate({"uri": path, "target": "y", "duplicates": duplicates})
    store = FileStore(Path(work_dir) / "store")
    try:
        ingest(path, None, dataset, store, champion_schema=None, champion_label="", work_dir=Path(work_dir))
    except RejectedError as error:
        if "file: duplicates" not in str(error):
            raise
    sys.stdout.write(str(peak_rss_mb()))


def peak_rss_mb() -> float:
    """The most memory this process had; ru_maxrss would begin with that of the process which started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
