"""The files by which a rollout and the supervisor of an endpoint talk: small JSON files in one folder, replaced atomically.

    desired.json   written by the rollout: which bundle, how many workers
    status.json    written by the supervisor: what is in service, or why the wish failed

Standard library only: the supervisor runs as a script, without Slipway or Airflow on its path.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Desired:
    """A wish. `generation` counts wishes; the supervisor answers each once.

    `command` starts the server; the supervisor adds the listening socket and the pipe on which it says that it is ready.
    """

    generation: int
    digest: str
    workers: int
    command: list[str]
    folder: str
    ready_timeout_seconds: float


@dataclass(frozen=True)
class Status:
    """What the supervisor last knew. `error` belongs to the wish `generation`."""

    pid: int
    server_pid: int | None
    port: int
    generation: int
    state: str  # starting, serving or failed
    active: str | None
    error: str | None = None


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON file, or None if it is not there."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return value if isinstance(value, dict) else None


def write_json(path: Path, value: Desired | Status) -> None:
    """Replace a JSON file; a reader sees the old or the new one, never half."""
    part = path.with_suffix(".part")
    with part.open("w") as stream:
        json.dump(asdict(value), stream, indent=2)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def read_desired(folder: Path) -> Desired | None:
    """The last wish, if there was one."""
    value = read_json(folder / "desired.json")
    return Desired(**value) if value else None


def read_status(folder: Path) -> Status | None:
    """What the supervisor last wrote; it may be dead by now."""
    value = read_json(folder / "status.json")
    return Status(**value) if value else None
