from __future__ import annotations

import re

import pytest
from croniter import croniter  # what Airflow reads expressions with
from hypothesis import given
from hypothesis import strategies as st

from slipway.core.cron import PRESETS, check_schedule

PARTS = (
    "*",
    "?",
    "0",
    "5",
    "7",
    "23",
    "31",
    "59",
    "60",
    "mon",
    "SUN",
    "feb",
    "*/5",
    "*/0",
    "1-5",
    "fri-mon",
    "1-5/2",
    "1/3",
)
PARTS += ("1,2", "*,1", "1-", "-1", "w", "l", "00", "٣", "mon#2", "mon#6", "1.5", "", "1//2")


@pytest.mark.parametrize(
    "text",
    [*PRESETS, "0 6 * * *", "*/15 8-18 * * MON-FRI", "0 0 1,15 jan-jun ?", "30 4 l * *", "0 9 * * mon#1", "0 0 * * 7"],
)
def test_what_airflow_can_run_is_allowed(text: str) -> None:
    assert check_schedule(text) == text


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("60 * * * *", "a minute of 0 to 59, not '60'"),
        ("0 24 * * *", "an hour of 0 to 23, not '24'"),
        ("0 0 0 * *", "a day of the month of 1 to 31, not '0'"),
        ("0 0 * juli *", "a month of 1 to 12, not 'juli'"),
        ("0 0 * * 8", "a day of the week of 0 to 7, not '8'"),
        ("*/0 * * * *", "a minute of 0 to 59, not '*/0'"),
        ("daily", "a cron expression of five fields, or one of @once, @hourly, "),
        ("0 0 * * * *", "a cron expression of five fields, or one of @once, @hourly, "),
        ("@continuous", "a cron expression of five fields, or one of @once, @hourly, "),
    ],
)
def test_the_error_says_what_is_allowed(text: str, allowed: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(allowed)}"):
        check_schedule(text)


@given(st.lists(st.sampled_from(PARTS), min_size=5, max_size=5).map(" ".join))
def test_nothing_passes_that_airflow_would_refuse(text: str) -> None:
    try:
        check_schedule(text)
    except ValueError:
        return
    croniter(text)
