"""A bundle whose model takes as long as a test wants, by a gate of files: no test has to guess how long that is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cloudpickle
import joblib
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.bundle_maker import make_bundle, write_manifest
from tests.server_process import wait_until

SLOW_ROW = b'{"features": [99, 1, 1, 1]}'


class Gate:
    """Answers to `SLOW_ROW` wait behind it until it is opened."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._came, self._open = folder / "came", folder / "open"

    def wait_for_request(self) -> None:
        wait_until(self._came.exists)

    def open(self) -> None:
        self._open.touch()


def make_slow_bundle(folder: Path, gate: Gate) -> tuple[Path, str]:
    """For the joblib runtime."""
    make_bundle(folder, runtime="joblib")
    fitted = joblib.load(folder / "model.joblib").named_steps["model"]
    came, opened = str(gate._came), str(gate._open)

    def wait(rows: Any) -> Any:  # pickled by value: the server cannot import this file
        import pathlib
        import time

        if rows.iloc[0, 0] == 99:
            pathlib.Path(came).touch()
            while not pathlib.Path(opened).exists():
                time.sleep(0.005)
        return rows

    pipeline = Pipeline([("gate", FunctionTransformer(wait)), ("model", fitted)])
    (folder / "model.joblib").write_bytes(cloudpickle.dumps(pipeline))
    return folder, write_manifest(folder)
