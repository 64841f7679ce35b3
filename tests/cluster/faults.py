"""What tests let go wrong between a client and the API."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.queries import flag
from tests.cluster.status import StatusError

Test = Callable[["Seen"], bool]


@dataclass(frozen=True)
class Seen:
    """A request as predicates see it; `query` has the last value of each name."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)

    @property
    def is_watch(self) -> bool:
        """Whether it is a watch."""
        return flag(self.query, "watch")


@dataclass
class Fault:
    """One that waits for its requests; `left` is for how many more."""

    left: int
    test: Test
    error: StatusError | None  # None: the connection is cut


def any_request(_: Seen) -> bool:
    """The predicate that every request fulfils."""
    return True


class Faults:
    """Injects errors into the next requests; may be used from any thread.

    `compact` forgets the watch history (410 Gone), `cut_watches` ends the connections of all watches now.
    """

    def __init__(self, compact: Callable[[], None], cut_watches: Callable[[], int]) -> None:
        self.compact = compact
        self.cut_watches = cut_watches
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def throttle(self, count: int = 1, test: Test = any_request, *, retry_after_seconds: int = 1) -> None:
        """The next `count` requests get 429 with Retry-After."""
        text = "the server has received too many requests and has asked us to try again later"
        self._add(count, test, 429, text, retry_after_seconds)

    def fail(self, count: int = 1, test: Test = any_request, *, code: int = 500, message: str = "") -> None:
        """The next `count` requests get a Status of this code; 503 comes with Retry-After."""
        text = message or {500: "Internal error occurred: etcdserver: request timed out"}.get(
            code, "the server is currently unable to handle the request"
        )
        self._add(count, test, code, text, 1 if code == 503 else None)

    def cut(self, count: int = 1, test: Test = any_request) -> None:
        """The connections of the next `count` requests are closed without an answer; nothing is done."""
        with self._lock:
            self._waiting.append(Fault(count, test, None))

    def clear(self) -> None:
        """Forget all that wait."""
        with self._lock:
            self._waiting.clear()

    def _add(self, count: int, test: Test, code: int, text: str, retry_after_seconds: int | None) -> None:
        headers = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
        details: dict[str, Any] = {} if retry_after_seconds is None else {"retryAfterSeconds": retry_after_seconds}
        with self._lock:
            self._waiting.append(Fault(count, test, StatusError(code, text, details=details, headers=headers)))

    def pop(self, request: Seen) -> Fault | None:
        """The fault for a request, once."""
        with self._lock:
            for fault in self._waiting:
                if fault.test(request):
                    fault.left -= 1
                    if fault.left <= 0:
                        self._waiting.remove(fault)
                    return fault
        return None
