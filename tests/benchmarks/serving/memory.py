"""Memory of a process tree that counts shared pages once: the proportional set size (proc(5), smaps_rollup)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path


def pss_mb(pids: Iterable[int]) -> float:
    """Megabytes (10^6 bytes) of all the processes together."""
    return sum(map(_pss_bytes, pids)) / 1e6


def _pss_bytes(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
