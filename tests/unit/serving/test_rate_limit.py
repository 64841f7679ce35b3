from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.rate_limit import RateLimit

CLOCKS = [0.0, 1e-3, 123456.789, 86400.0 * 3650]


@pytest.mark.parametrize("now", CLOCKS)
@pytest.mark.parametrize("burst", [1, 2, 7])
@pytest.mark.parametrize("rate", [0.3, 3, 10, 1000])
def test_a_burst_passes_whole_and_then_one_per_interval(now: float, burst: int, rate: float) -> None:
    limit = RateLimit(1, rate, burst)
    assert [limit.wait_seconds(0, now) for _ in range(burst)] == [0.0] * burst
    wait = limit.wait_seconds(0, now)
    assert wait == pytest.approx(1 / rate, abs=1e-5)
    assert limit.wait_seconds(0, now) == wait  # what is refused does not count
    assert limit.wait_seconds(0, now + wait) == 0.0
    assert limit.wait_seconds(0, now + wait) > 0
    assert [limit.wait_seconds(0, now + wait + burst / rate) for _ in range(burst)] == [0.0] * burst


def test_each_key_has_its_own_allowance() -> None:
    limit = RateLimit(2, 1, 1)
    assert limit.wait_seconds(0, 5.0) == 0.0
    assert limit.wait_seconds(0, 5.0) > 0
    assert limit.wait_seconds(1, 5.0) == 0.0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 2), max_size=60), st.integers(1, 5), st.sampled_from([0.5, 3, 10]))
def test_no_window_lets_more_through_than_burst_and_rate_allow(pauses: list[float], burst: int, rate: float) -> None:
    limit, now, passed = RateLimit(1, rate, burst), 1000.0, []
    for pause in pauses:
        now += pause
        if not limit.wait_seconds(0, now):
            passed.append(now)
    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + rate * (passed[last] - start) + 0.01


def test_processes_share_it_and_one_that_dies_locked_frees_it() -> None:
    limit = RateLimit(1, 0.001, 40)
    read_end, write_end = os.pipe()
    children = []
    for _ in range(2):
        if (child := os.fork()) == 0:
            passed = sum(not limit.wait_seconds(0) for _ in range(60))
            os.write(write_end, bytes([passed]))
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    assert sum(os.read(read_end, 2)) == 40
    assert limit.wait_seconds(0) > 0
    os.close(read_end)
    os.close(write_end)
