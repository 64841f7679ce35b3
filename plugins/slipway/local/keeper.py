"""Keeps one command running: `python -m slipway.local.keeper airflow scheduler`.

Airflow's scheduler on SQLite can end on a race with another writer (a backfill that is created and rolled back while the
scheduler reads it, for one). A cluster's process manager would start it again; here this does. A command that fails soon
after every start is wrong in itself: after three of those it is given up, and its log tells why.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from types import FrameType

SOON_SECONDS = 15
TRIES = 3


def keep(command: list[str]) -> int:
    """Run `command` again whenever it fails; returns its exit code once it ends well or is given up."""
    failures = 0
    while True:
        began = time.monotonic()
        process = subprocess.Popen(command)
        code = process.wait()
        if code == 0:
            return 0
        failures = failures + 1 if time.monotonic() - began < SOON_SECONDS else 1
        if failures >= TRIES:
            return code
        sys.stderr.write(f"{' '.join(command)} ended with code {code}; starting it again\n")
        time.sleep(1)


def _end(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM goes to the whole family; the keeper only must not start anything again."""
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(keep(sys.argv[1:]))
