"""Processes that outlive the command that starts them, and records by which they are found and ended again."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from slipway.core.errors import UnavailableError


@dataclass(frozen=True)
class Service:
    """One long-lived process of the embedded profile.

    A record holds its pid and its start time; a pid that the system gave to another process since is never touched.
    """

    name: str
    record: Path
    log: Path

    def find(self) -> psutil.Process | None:
        """The running process, or None."""
        try:
            record = json.loads(self.record.read_text())
            process = psutil.Process(record["pid"])
            alive = abs(process.create_time() - record["started"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
            return None
        return process if alive else None

    def ensure_started(self, command: list[str], environment: dict[str, str], folder: Path) -> bool:
        """Start it unless it runs; returns whether it was started. It gets a session of its own and a log file."""
        if self.find():
            return False
        for path in (self.record, self.log):
            path.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        part = self.record.with_suffix(".part")
        part.write_text(json.dumps({"pid": process.pid, "started": psutil.Process(process.pid).create_time()}))
        part.replace(self.record)
        return True

    def stop(self, timeout_seconds: float = 20) -> bool:
        """End it and all its descendants; returns whether it ran."""
        process = self.find()
        self.record.unlink(missing_ok=True)
        if process is None:
            return False
        family = [*_descendants(process), process]
        for member in family:
            _signal(member, gentle=True)
        _, stubborn = psutil.wait_procs(family, timeout=timeout_seconds)
        for member in stubborn:
            _signal(member, gentle=False)
        psutil.wait_procs(stubborn, timeout=5)
        return True

    def last_lines(self, count: int = 15) -> str:
        """The end of its log, for an error text."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return "(no log)"
        return "\n".join(lines[-count:])

    def down_error(self, why: str) -> UnavailableError:
        """The error for a part that does not come up: names the part and its log, and shows the log's end."""
        return UnavailableError(
            "could not start a part of the embedded profile",
            on=self.name,
            why=why,
            fix=f"Read {self.log}; its last lines:\n{self.last_lines()}",
        )


def wait_for_exit(process: psutil.Process, timeout_seconds: float) -> bool:
    """Whether the process ended in time."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        # A served model was started by a task but belongs to its rollout: it has a session of its own, its target ends it.
        return [child for child in process.children(recursive=True) if os.getsid(child.pid) == os.getsid(process.pid)]
    except (psutil.NoSuchProcess, ProcessLookupError):
        return []


def _signal(process: psutil.Process, *, gentle: bool) -> None:
    try:
        if gentle:
            process.terminate()
        else:
            process.kill()
    except psutil.NoSuchProcess:
        return
