"""What the bare runtime call reaches on the same two cores: two processes, the same batch, nothing received or sent."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.benchmarks.serving.bundles import ServedModel
from tests.benchmarks.serving.plan import LARGE
from tests.benchmarks.serving.servers import HERE, ONE_THREAD

PROCESSES = 2


def bare_rate(environment: Path, model: ServedModel, folder: Path, seconds: float) -> float:
    """Batches of 10,000 rows a second, of both processes together."""
    inputs = folder / "inputs.npz"
    _write_inputs(model, inputs)
    command = [environment / "bin" / "python", HERE / "floors" / "session.py", model.bundle / "model.onnx", inputs]
    children = [
        subprocess.Popen(
            [*map(str, command), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | ONE_THREAD,
        )
        for _ in range(PROCESSES)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    return sum(float(child.communicate()[0]) for child in children)


def _write_inputs(model: ServedModel, path: Path) -> None:
    """The graph's own inputs: float32 [10000, numbers] and texts [10000, categories]."""
    import numpy as np

    columns = list(zip(*model.rows[:LARGE], strict=True))
    numbers = [column for column, numeric in zip(columns, model.numeric, strict=True) if numeric]
    texts = [column for column, numeric in zip(columns, model.numeric, strict=True) if not numeric]
    arrays = {"numbers": np.array(numbers, np.float32).T.copy()}
    if texts:
        arrays["categories"] = np.array(texts).T.copy()
    np.savez(path, **arrays)
