"""A rate limit per API key, kept in memory that all workers share.

The generic cell rate algorithm (GCRA; ITU-T I.371): for each key one number, the time at which its allowance is whole
again. A request moves it on by 1/rate; one that finds it more than (burst - 1)/rate ahead of now is refused.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
import time

ROUNDING_SECONDS = 1e-6  # sums with the clock's large number are not exact


class RateLimit:
    """To be made before workers are forked.

    Args:
        keys: how many there are.
        per_second: requests a second that a key may send in the long run.
        burst: how many may come at once.
    """

    def __init__(self, keys: int, per_second: float, burst: int) -> None:
        self._interval, self._tolerance = 1 / per_second, (burst - 1) / per_second
        self._whole_at = memoryview(mmap.mmap(-1, max(1, keys) * 8)).cast("d")
        # The kernel gives a lock on a file back when its holder dies; one in shared memory would stay locked.
        self._lock = _lock_file()

    def wait_seconds(self, key: int, now: float | None = None) -> float:
        """0 if the request may pass, and then it counts; else after how many seconds the next one may."""
        now = time.monotonic() if now is None else now
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            whole_at = max(self._whole_at[key], now)
            if whole_at - now > self._tolerance + ROUNDING_SECONDS:
                return whole_at - now - self._tolerance
            self._whole_at[key] = whole_at + self._interval
            return 0.0
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)


def _lock_file() -> int:
    """A file that lives as long as a process has it open; in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("rate-limit")
    descriptor, path = tempfile.mkstemp(prefix="rate-limit-")
    os.unlink(path)  # noqa: PTH108
    return descriptor
