"""The verdict over measurements: examples at the limits, and what holds for any measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.verification.analysis import AnalysisRun, Limits, Measurement, Outcome, assess, assess_metric, worst

S, F, N, E = "Successful", "Failed", "Inconclusive", "Error"
outcomes = st.lists(st.sampled_from(get_args(Outcome)), max_size=30)
all_limits = st.builds(
    Limits,
    count=st.integers(1, 8),
    failure_limit=st.integers(0, 4),
    inconclusive_limit=st.integers(0, 4),
    error_limit=st.integers(0, 4),
)


@pytest.mark.parametrize(
    ("measured", "limits", "phase"),
    [
        ([], Limits(), "Running"),
        ([S, S, S], Limits(), "Running"),
        ([S, S, S, S], Limits(), "Successful"),
        ([S, F], Limits(), "Failed"),
        ([F, F, S, S], Limits(failure_limit=2), "Successful"),
        ([F, F, S, F], Limits(failure_limit=2), "Failed"),
        ([F, F, S], Limits(failure_limit=2), "Running"),
        ([N], Limits(), "Inconclusive"),
        ([N, S, S, S], Limits(inconclusive_limit=1), "Successful"),
        ([N, N], Limits(inconclusive_limit=1), "Inconclusive"),
        ([E, E, E, E], Limits(), "Running"),
        ([E, E, E, E, E], Limits(), "Error"),
        ([E, E, E, E, S, E, E, E, E, S], Limits(count=3), "Running"),
        ([S, E, S], Limits(count=3), "Running"),
        ([S, E, S, S], Limits(count=3), "Successful"),
        ([S, S, S, S, F, F], Limits(), "Successful"),
    ],
)
def test_limits_count_and_errors_as_argo_rollouts_has_them(measured: list[Outcome], limits: Limits, phase: str) -> None:
    assert assess_metric(measured, limits) == phase


@given(outcomes, outcomes, all_limits)
def test_what_is_decided_stays_whatever_is_measured_later(
    measured: list[Outcome], later: list[Outcome], limits: Limits
) -> None:
    before = assess_metric(measured, limits)
    assert before == "Running" or assess_metric(measured + later, limits) == before


@given(outcomes, all_limits)
def test_never_good_before_count_and_never_more_failures_than_allowed(measured: list[Outcome], limits: Limits) -> None:
    phase = assess_metric(measured, limits)
    made = [outcome for outcome in measured if outcome != E]
    if phase == "Successful":
        assert len(made) >= limits.count
        assert made[: limits.count].count(F) <= limits.failure_limit
        assert made[: limits.count].count(N) <= limits.inconclusive_limit
    if phase == "Running":
        assert len(made) < limits.count


@given(outcomes, all_limits)
def test_bad_is_only_what_passed_a_limit(measured: list[Outcome], limits: Limits) -> None:
    phase = assess_metric(measured, limits)
    assert phase != "Failed" or measured.count(F) > limits.failure_limit
    assert phase != "Inconclusive" or measured.count(N) > limits.inconclusive_limit
    assert phase != "Error" or measured.count(E) > limits.error_limit


@given(st.data(), all_limits)
def test_without_errors_and_doubts_the_order_within_count_does_not_matter(data: st.DataObject, limits: Limits) -> None:
    for bad in (F, N):
        measured = data.draw(st.lists(st.sampled_from([S, bad]), max_size=limits.count))
        assert assess_metric(measured, limits) == assess_metric(data.draw(st.permutations(measured)), limits)


@given(st.lists(st.sampled_from(get_args(Outcome)), min_size=1), all_limits)
def test_a_metric_is_decided_after_a_number_of_measurements_that_is_known_before(
    measured: list[Outcome], limits: Limits
) -> None:
    longest = limits.count * (limits.error_limit + 1)
    assert assess_metric((measured * longest)[:longest], limits) != "Running"


@given(st.dictionaries(st.sampled_from("abc"), outcomes, min_size=1), st.sampled_from("abc"), outcomes, all_limits)
def test_a_run_that_failed_stays_failed_and_one_that_ended_never_gets_better(
    measured: dict[str, list[Outcome]], metric: str, later: list[Outcome], limits: Limits
) -> None:
    before = assess(measured, limits)
    after = assess(measured | {metric: measured.get(metric, []) + later}, limits)
    if before in {"Failed", "Error", "Inconclusive"}:
        assert worst([before, after]) == after


@given(st.dictionaries(st.sampled_from("abc"), outcomes, min_size=1), all_limits)
def test_the_order_of_metrics_does_not_matter(measured: dict[str, list[Outcome]], limits: Limits) -> None:
    assert assess(measured, limits) == assess(dict(reversed(measured.items())), limits)


def test_a_run_without_measurements_is_not_good() -> None:
    assert assess({}, Limits()) == "Running"
    assert assess({"a": [S] * 4, "b": []}, Limits()) == "Running"


def test_the_worst_metric_is_the_runs() -> None:
    assert assess({"a": [S] * 4, "b": [N], "c": [F]}, Limits()) == "Failed"
    assert assess({"a": [S] * 4, "b": [N], "c": [E] * 5}, Limits()) == "Error"
    assert assess({"a": [S] * 4, "b": [N], "c": [S]}, Limits()) == "Inconclusive"


def run_of(*measured: tuple[str, Outcome], metrics: Sequence[str] = ("a", "b"), limits: Limits) -> AnalysisRun:
    run = AnalysisRun(metrics, limits)
    for metric, outcome in measured:
        run.add(Measurement(metric, outcome, ""))
    return run


def test_a_run_measures_what_is_undecided_until_one_metric_ends_it() -> None:
    limits = Limits(count=1, failure_limit=1)
    assert run_of(limits=limits).undecided == ["a", "b"]
    assert run_of(("a", S), limits=limits).undecided == ["b"]
    assert run_of(("a", S), ("b", F), limits=limits).undecided == []
    ended = run_of(("b", N), limits=limits)
    assert (ended.phase, ended.undecided) == ("Inconclusive", [])


def test_the_measurement_that_decided_is_named_not_the_last_that_failed() -> None:
    run = run_of(("b", F), ("b", F), ("a", F), limits=Limits(failure_limit=1))
    assert run.phase == "Failed"
    assert run.deciding is not None
    assert (run.deciding.metric, run.deciding.number) == ("b", 2)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(get_args(Outcome))), max_size=20), all_limits)
def test_a_run_says_what_assess_says(measured: list[tuple[str, Outcome]], limits: Limits) -> None:
    run = run_of(*measured, limits=limits)
    assert run.phase == assess({name: [o for m, o in measured if m == name] for name in "ab"}, limits)
    for name in "ab":
        assert [each.number for each in run.measurements if each.metric == name] == list(
            range(1, sum(m == name for m, _ in measured) + 1)
        )
