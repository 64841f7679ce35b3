"""A file that is written beside the requests: they put records into a bounded queue, a thread writes them out.

What does not fit in the queue is dropped and counted; a request never waits for a disk.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

FLUSH_SECONDS = 0.5


class Spool:
    """Lines in the background.

    Args:
        write: gets the lines that have come together, as one piece of bytes.
        encode: makes a line of a record; runs in the thread.
        capacity: records that may wait.
    """

    def __init__(self, write: Callable[[bytes], None], encode: Callable[[Any], bytes], capacity: int = 10_000) -> None:
        self._write, self._encode, self._capacity = write, encode, capacity
        self._records: deque[Any] = deque()
        self.dropped = 0
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def put(self, record: Any) -> None:
        """Queue a record, or drop it."""
        if len(self._records) >= self._capacity:
            self.dropped += 1
        else:
            self._records.append(record)

    def close(self) -> None:
        """Write what waits."""
        self._closed = True
        self._wake.set()
        self._thread.join(timeout=5)

    def _encoded(self, record: Any) -> bytes:
        try:
            return self._encode(record)
        except Exception:  # one odd record must not end the log
            self.dropped += 1
            return b""

    def _run(self) -> None:
        while True:
            closed = self._wake.wait(FLUSH_SECONDS)
            lines = [self._encoded(self._records.popleft()) for _ in range(len(self._records))]
            if lines:
                with contextlib.suppress(OSError):  # a full disk must not end the server; the records are lost
                    self._write(b"".join(lines))
            if closed:
                return


class RotatingFile:
    """Appends to a file of bounded size; a full one becomes ``<name>.1``, which replaces the one before it."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path, self._max_bytes = path, max_bytes
        self._stream: IO[bytes] | None = None

    def write(self, data: bytes) -> None:
        """Raises OSError."""
        stream = self._stream or self._path.open("ab", buffering=0)
        self._stream = stream
        stream.write(data)
        if stream.tell() > self._max_bytes:
            stream.close()
            self._stream = None
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
