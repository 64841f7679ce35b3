"""The one thing that a pod's thread waits for besides its work: the pod's deletion."""

from __future__ import annotations

import threading
import time


class Deletion:
    """`begin` may be called from any thread; every pause of the pod's thread ends by it."""

    def __init__(self) -> None:
        self._wake = threading.Event()
        self._at: float | None = None
        self._grace_seconds = 0.0

    @property
    def begun(self) -> bool:
        return self._at is not None

    def begin(self, grace_seconds: float) -> None:
        """Called again: with less time, never with more."""
        if self._at is None:
            self._at, self._grace_seconds = time.monotonic(), grace_seconds
        self._grace_seconds = min(self._grace_seconds, grace_seconds)
        self._wake.set()

    def left_seconds(self) -> float:
        """Of the grace period."""
        return max(0.0, (self._at or 0) + self._grace_seconds - time.monotonic()) if self.begun else 0.0

    def pause(self, seconds: float) -> None:
        """Wait so long, or until the pod is deleted."""
        deadline = time.monotonic() + seconds
        while not self.begun and (left := deadline - time.monotonic()) > 0:
            self._wake.wait(left)

    def wait(self) -> None:
        """Until the pod is deleted."""
        self._wake.wait()
