"""How long to wait before asking the API again, and when to give up. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from slipway.cluster.status import Status

_AGAIN = frozenset({429, 500, 502, 503, 504})
_FIRST_SECONDS, _LONGEST_SECONDS = 0.25, 8.0
# A 500 that a second try cannot change: the typed patch did not fit the schema.
_HOPELESS = re.compile(r"field not declared in schema|failed to create typed patch object")


@dataclass(frozen=True)
class Patience:
    """Waits that double from a quarter of a second to eight; `seconds` after the first try no other begins."""

    seconds: float = 30.0

    def wait_seconds(self, attempt: int, elapsed_seconds: float, status: Status | None) -> float | None:
        """Pause before the next try, or None: give up.

        Args:
            attempt: tries so far, from 1.
            elapsed_seconds: since the first began.
            status: the answer; None: there was none, the connection failed.
        """
        if status is not None and not is_passing(status):
            return None
        asked = status.retry_after_seconds if status is not None else None
        pause = asked or backoff_seconds(attempt)
        return pause if elapsed_seconds + pause <= self.seconds else None


def is_passing(status: Status) -> bool:
    """Whether the same request may get another answer later."""
    return status.code in _AGAIN and not _HOPELESS.search(status.message)


def backoff_seconds(attempt: int) -> float:
    """0.25, 0.5, 1 .. 8 for attempts 1, 2, 3 .."""
    return float(min(_FIRST_SECONDS * 2 ** min(attempt - 1, 10), _LONGEST_SECONDS))
