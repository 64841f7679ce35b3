"""Processes that outlive the command that starts them, and records by which they are found and ended again."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        record = self._read()
        if record is None:
            return None
        try:
            process = psutil.Process(record["pid"])
            alive = abs(process.create_time() - record["started"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
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
        started = psutil.Process(process.pid).create_time()
        part.write_text(json.dumps({"pid": process.pid, "started": started, "folder": str(folder)}))
        part.replace(self.record)
        return True

    def stop(self, timeout_seconds: float = 20) -> bool:
        """End it and all that it started, also what a crash left of it; returns whether anything ran."""
        family = self._family()
        self.record.unlink(missing_ok=True)
        for member in family:
            _signal(member, gentle=True)
        _, stubborn = psutil.wait_procs(family, timeout=timeout_seconds)
        for member in stubborn:
            _signal(member, gentle=False)
        psutil.wait_procs(stubborn, timeout=5)
        return bool(family)

    def _family(self) -> list[psutil.Process]:
        """The processes of its session that work in its folder: the leader may be dead, its number another's by now.

        A served model is not among them: a task started it, but it has a session of its own and is ended by its target.
        """
        record = self._read()
        if record is None:
            return []
        members = [process for process in psutil.process_iter() if _is_member(process, record)]
        return sorted(members, key=lambda process: process.pid == record["pid"])  # the leader last

    def _read(self) -> dict[str, Any] | None:
        try:
            record = json.loads(self.record.read_text())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

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


def _is_member(process: psutil.Process, record: dict[str, Any]) -> bool:
    try:
        return bool(os.getsid(process.pid) == record["pid"] and process.cwd() == record["folder"])
    except (psutil.Error, ProcessLookupError, PermissionError):
        return False


def _signal(process: psutil.Process, *, gentle: bool) -> None:
    try:
        if gentle:
            process.terminate()
        else:
            process.kill()
    except psutil.NoSuchProcess:
        return
