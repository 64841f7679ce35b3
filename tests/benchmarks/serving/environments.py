"""One virtual environment per server, from its requirements text; used again as long as the text is the same."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

UV = Path(sys.prefix) / "bin" / "uv"
STAMP = "requirements.sha256"


def ensure_environment(folder: Path, requirements: Path, progress: Callable[[str], None]) -> Path:
    """The environment's folder, made if it is missing or was made from another text.

    Modules are compiled at once: a cold start must not pay for it in whichever server comes first.
    """
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = folder / STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    progress(f"environment {folder.name}: installing {requirements.name}")
    shutil.rmtree(folder, ignore_errors=True)
    _uv("venv", "--python", sys.executable, str(folder))
    _uv("pip", "install", "--compile-bytecode", "--python", str(folder / "bin" / "python"), "-r", str(requirements))
    stamp.write_text(wanted)
    return folder


def installed_mb(folder: Path) -> float:
    """Megabytes (10^6 bytes) of all files that the environment holds."""
    return sum(path.stat().st_size for path in (folder / "lib").rglob("*") if path.is_file()) / 1e6


def _uv(*arguments: str) -> None:
    result = subprocess.run([str(UV), *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"uv {' '.join(arguments)}: {result.stderr[-2000:]}")
