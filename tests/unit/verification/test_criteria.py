"""What is said about the traffic of an interval: limits at their edges, and which pod is named."""

from __future__ import annotations

import math
from typing import Any

import pytest

from slipway.core.kubernetes_section import Analysis
from slipway.verification.analysis import Limits
from slipway.verification.criteria import Criteria, restarts
from slipway.verification.version_metrics import Traffic


def criteria(**section: Any) -> Criteria:
    return Criteria.of(Analysis(**section).model_dump(mode="json"))


def traffic(good: int, bad: int = 0, *, bound: float = 1.0) -> Traffic:
    """That many answers, all of them within this bucket."""
    below = {0.5: 0.0, 1.0: 0.0, 10.0: 0.0, math.inf: 0.0}
    return Traffic({"200": good, "500": bad}, {key: good + bad if key >= bound else 0 for key in below})


def test_the_section_of_a_model_file_is_taken_whole() -> None:
    found = criteria(interval_seconds=5, count=2, failure_limit=1, inconclusive_limit=3, error_limit=7)
    assert found == Criteria(5, 0.01, None, 0, True, Limits(2, 1, 3, 7))


def test_what_is_measured_follows_the_section() -> None:
    assert criteria().metrics == ["restarts", "error rate", "golden rows"]
    assert criteria(maximum_latency_seconds=1, golden_rows=False).metrics == ["restarts", "error rate", "p99 latency"]


@pytest.mark.parametrize(("bad", "outcome"), [(0, "Successful"), (1, "Successful"), (2, "Failed"), (100, "Failed")])
def test_as_many_failed_answers_as_allowed_are_allowed(bad: int, outcome: str) -> None:
    found = criteria(maximum_error_rate=0.01).error_rate({"a": traffic(100 - bad, bad)})
    assert (found.outcome, found.value, found.limit) == (outcome, bad / 100, 0.01)


def test_the_pod_with_most_failed_answers_is_named_with_their_statuses() -> None:
    worst = Traffic({"200": 36.0, "500": 3.0, "503": 1.0}, {math.inf: 40.0})
    found = criteria().error_rate({"a": traffic(99, 1), "b": worst, "c": traffic(60)})
    assert found.pod == "b"
    assert found.message == (
        "2.5 % of 200 answers failed, allowed 1 %; most at b: 3 with status 500, 1 with status 503 of 40"
    )


@pytest.mark.parametrize(
    ("requests", "minimum", "outcome", "message"),
    [
        (0, 0, "Successful", "no requests in this interval"),
        (0, 1, "Inconclusive", "0 requests in this interval, at least 1 say something"),
        (9, 10, "Inconclusive", "9 requests in this interval, at least 10 say something"),
        (10, 10, "Successful", None),
    ],
)
def test_too_few_requests_say_nothing(requests: int, minimum: int, outcome: str, message: str | None) -> None:
    wanted = criteria(minimum_requests=minimum, maximum_latency_seconds=2)
    given = {"a": traffic(requests // 2), "b": traffic(requests - requests // 2)}
    for found in (wanted.error_rate(given), wanted.latency(given)):
        assert found.outcome == outcome
        assert message in {found.message, None}


def test_pods_without_requests_are_no_trouble() -> None:
    assert criteria().error_rate({}).outcome == "Successful"
    assert criteria(maximum_latency_seconds=1).latency({"a": traffic(0), "b": traffic(3)}).pod == "b"


@pytest.mark.parametrize(("limit", "outcome"), [(0.98, "Failed"), (0.995, "Successful"), (2, "Successful")])
def test_a_latency_above_the_limit_fails(limit: float, outcome: str) -> None:
    found = criteria(maximum_latency_seconds=limit).latency({"a": traffic(50), "b": traffic(50, bound=0.5)})
    assert (found.outcome, found.pod) == (outcome, "a")
    assert found.value == pytest.approx(0.99)
    assert found.message == f"0.99 s over 100 answers, allowed {limit:g} s; slowest at a"


@pytest.mark.parametrize(("limit", "outcome"), [(9.9, "Failed"), (10, "Inconclusive"), (60, "Inconclusive")])
def test_above_the_servers_last_bound_a_higher_limit_cannot_be_judged(limit: float, outcome: str) -> None:
    found = criteria(maximum_latency_seconds=limit).latency({"a": traffic(100, bound=math.inf)})
    assert (found.outcome, found.value) == (outcome, None)
    assert found.message.startswith("more than 10 s over 100 answers")


def test_a_restart_fails_and_says_how_the_server_ended() -> None:
    found = restarts({"a": 0, "b": 2}, {"b": "OOMKilled, exit code 137"})
    assert (found.outcome, found.pod, found.value) == ("Failed", "b", 2)
    assert found.message == "b restarted 2 times (OOMKilled, exit code 137)"
    assert restarts({"a": 1}, {}).message == "a restarted once"
    assert restarts({"a": 0, "b": 0}, {}).outcome == "Successful"
    assert restarts({}, {}).outcome == "Successful"
