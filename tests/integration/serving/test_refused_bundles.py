"""A bundle that lies never gets as far as a port: the server ends with the reason in one line, and nothing in it runs."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bundle_maker import make_bundle, write_manifest
from tests.server_process import SERVING


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def newer_library(folder: Path) -> None:
    path = folder / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"versions": {"scikit-learn": "99.0"}}))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def put(name: str) -> Callable[[Path, bytes], object]:
    return lambda folder, trap: (folder / name).write_bytes(trap)


@pytest.mark.parametrize(
    ("runtime", "lie", "packed_again", "reason"),
    [
        ("onnx", lambda folder, _trap: flip(folder / "model.onnx"), False, "model.onnx: its digest is"),
        ("onnx", lambda folder, _trap: (folder / "model.onnx").unlink(), False, "model.onnx: cannot be read"),
        ("joblib", put("model.joblib"), False, "model.joblib: its digest is"),
        ("onnx", put("model.joblib"), False, "model.joblib: its digest is"),
        ("onnx", put("manifest.json"), False, "manifest.json: its digest is"),
        ("onnx", put("model.onnx"), True, "model.onnx: ONNX Runtime cannot load it"),
        ("onnx", put("golden.json"), True, "golden.json: it is not JSON"),
        ("onnx", put("metadata.json"), True, "metadata.json: it is not JSON"),
        (
            "joblib",
            lambda folder, trap: (newer_library(folder), put("model.joblib")(folder, trap)),
            True,
            "trained with scikit-learn 99.0",
        ),
    ],
    ids=["flipped", "missing", "pickle", "pickle beside", "manifest", "pickle as onnx", "golden", "metadata", "newer"],
)
def test_the_server_ends_with_the_reason(
    tmp_path: Path, runtime: str, lie: Callable[[Path, bytes], object], packed_again: bool, reason: str
) -> None:
    folder, trap = tmp_path / "bundle", tmp_path / "was-unpickled"
    digest = make_bundle(folder, runtime=runtime)
    lie(folder, pickle.dumps(Trap(trap)))
    digest = write_manifest(folder) if packed_again else digest
    command = [
        sys.executable,
        "-m",
        "model_server",
        "--bundle",
        str(folder),
        "--digest",
        digest,
        "--open",
        "--port",
        "0",
    ]
    ended = subprocess.run(command, cwd=SERVING, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert reason in ended.stderr
    assert not trap.exists()
    if not packed_again:
        assert ended.stderr.count("\n") == 1
        assert ended.stderr.startswith("error: ")
