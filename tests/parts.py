"""Parts of the machine that some tests need: skipped by name without them, a failure in the gate, which installs them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

ENVIRONMENTS = Path(__file__).parents[1] / "build" / "environments"


def require_program(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails when SLIPWAY_TEST_REQUIRE_ALL is set."""
    path = shutil.which(name)
    if path is None:
        miss(f"needs {name} (apt-get install {name})")
    return path


def require_environment(requirements: Path) -> Path:
    """The folder with the programs of an environment that holds these pinned packages and nothing else.

    It is made below build/ the first time, and again when the file changes. Where it cannot be made (no network, no uv) the
    test is skipped, or fails when SLIPWAY_TEST_REQUIRE_ALL is set.
    """
    name = f"{requirements.stem}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    folder = ENVIRONMENTS / name
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _make_environment(folder, requirements)
            (folder / "complete").touch()
    return folder / "bin"


def _make_environment(folder: Path, requirements: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or require_program("uv")
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [uv, "venv", "-q", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), "-r", str(requirements)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            miss(f"needs an environment with {requirements.name}, which cannot be made: {done.stderr[-500:]}")


def miss(text: str) -> NoReturn:
    """Skip the test, or fail it where SLIPWAY_TEST_REQUIRE_ALL is set."""
    if os.environ.get("SLIPWAY_TEST_REQUIRE_ALL"):
        pytest.fail(text)
    pytest.skip(text)
