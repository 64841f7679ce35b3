from __future__ import annotations

import pytest

from slipway.cluster.patience import Patience, backoff_seconds
from slipway.cluster.status import Status


def test_waits_double_up_to_eight_seconds() -> None:
    assert [backoff_seconds(attempt) for attempt in (1, 2, 3, 6, 7, 10_000)] == [0.25, 0.5, 1.0, 8.0, 8.0, 8.0]


@pytest.mark.parametrize(
    ("status", "elapsed_seconds", "expected"),
    [
        (None, 0.0, 0.25),
        (None, 29.75, 0.25),
        (None, 29.8, None),
        (Status(429, headers={"Retry-After": "7"}), 0.0, 7.0),
        (Status(429, headers={"Retry-After": "31"}), 0.0, None),
        (Status(429, headers={"Retry-After": "0"}), 0.0, 0.25),
        (Status(429, headers={"Retry-After": "Fri, 31 Dec 2027 23:59:59 GMT"}), 0.0, 0.25),
        (Status(504, details={"retryAfterSeconds": 2}), 0.0, 2.0),
        (Status(500, "etcdserver: request timed out"), 0.0, 0.25),
        (Status(500, "failed to create typed patch object (a/b): .spec.x: field not declared in schema"), 0.0, None),
        (Status(403, "forbidden"), 0.0, None),
        (Status(409, "Conflict"), 0.0, None),
        (Status(410, "Gone"), 0.0, None),
    ],
)
def test_the_next_wait(status: Status | None, elapsed_seconds: float, expected: float | None) -> None:
    assert Patience(30).wait_seconds(1, elapsed_seconds, status) == expected
