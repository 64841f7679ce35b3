"""An ingestion that is killed at any of its writes ends, when repeated, as one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.core.model_file import Dataset
from slipway.dataset.ingestion import ingest
from slipway.storage.file_store import FileStore

ROWS = "x,y\n" + "".join(f"{number / 4},{number % 2}\n" for number in range(1000))


class SuicidalStore(FileStore):
    """Kills its own process at the `moment` of the given write, as ``kill -9`` would."""

    def __init__(self, root: Path, moment: str) -> None:
        super().__init__(root)
        self._moment = moment

    def write(self, key: str, data: bytes) -> None:
        self._maybe_die(f"before {Path(key).name}")
        super().write(key, data)
        self._maybe_die(f"after {Path(key).name}")

    def upload(self, key: str, path: Path) -> None:
        self._maybe_die(f"before {Path(key).name}")
        super().upload(key, path)
        self._maybe_die(f"after {Path(key).name}")

    def _maybe_die(self, now: str) -> None:
        if now == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)


def run(source: Path, store: FileStore, work_dir: Path, *, minimum: float | None) -> None:
    work_dir.mkdir(exist_ok=True)
    columns = {"x": {"minimum": minimum}} if minimum is not None else {}
    dataset = Dataset.model_validate({"uri": "rows.csv", "target": "y", "columns": columns})
    ingest(str(source), None, dataset, store, champion_schema=None, champion_label="", work_dir=work_dir)


def objects(store: FileStore) -> dict[str, bytes]:
    return {key: store.read(key) for key in store.keys("")}


@pytest.mark.parametrize("moment", ["before data.csv", "after data.csv", "before manifest.json", "after manifest.json"])
@pytest.mark.parametrize("again", [False, True], ids=["first time", "under other rules"])
def test_killed_and_repeated_is_as_if_never_killed(tmp_path: Path, moment: str, again: bool) -> None:
    source = tmp_path / "rows.csv"
    source.write_text(ROWS)
    clean, hurt = FileStore(tmp_path / "clean"), FileStore(tmp_path / "hurt")
    if again:
        run(source, clean, tmp_path / "work", minimum=None)
        run(source, hurt, tmp_path / "work", minimum=None)
    run(source, clean, tmp_path / "work", minimum=0)

    killed = subprocess.run(
        [sys.executable, __file__, str(source), hurt.uri, str(tmp_path / "killed"), moment],
        env=os.environ | {"PYTHONPATH": "plugins"},
        check=False,
    )
    rewrites_data = not again or "data" not in moment
    assert killed.returncode == (-signal.SIGKILL if rewrites_data else 0)

    run(source, hurt, tmp_path / "work", minimum=0)
    assert objects(hurt) == objects(clean)


if __name__ == "__main__":
    run(Path(sys.argv[1]), SuicidalStore(Path(sys.argv[2]), sys.argv[4]), Path(sys.argv[3]), minimum=0)
