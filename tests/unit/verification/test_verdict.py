"""What travels from the triggerer to the task, and the texts a person gets to read."""

from __future__ import annotations

import json

import pytest

from slipway.core.errors import ConflictError, RolloutError, SlipwayError
from slipway.verification.analysis import AnalysisRun, Limits, Measurement
from slipway.verification.verdict import as_event, bad, error_as_event, find_error, good, question, table


def run(*measured: Measurement, **limits: int) -> AnalysisRun:
    made = AnalysisRun(["error rate", "golden rows"], Limits(**limits))
    for each in measured:
        made.add(each)
    return made


FAILED = Measurement(
    "error rate",
    "Failed",
    "5 % of 100 answers failed, allowed 1 %; most at p1: 5 with status 500 of 60",
    0.05,
    0.01,
    "p1",
)
FINE = Measurement("golden rows", "Successful", "2 pods answered as in training")


@pytest.mark.parametrize("kind", SlipwayError.__subclasses__())
def test_every_error_arrives_as_it_was(kind: type[SlipwayError]) -> None:
    error = kind("could not do it", on="pod p1", why="it is tired", fix="Let it rest.")
    arrived = find_error(json.loads(json.dumps(error_as_event(error))))
    assert type(arrived) is kind
    assert str(arrived) == str(error)


def test_a_decided_run_is_no_error_and_survives_json() -> None:
    event = json.loads(json.dumps(as_event(run(FINE, FAILED)), allow_nan=False))
    assert find_error(event) is None
    assert (event["phase"], event["deciding"]["pod"], len(event["measurements"])) == ("Failed", "p1", 2)


def test_a_long_run_keeps_its_last_measurements() -> None:
    event = as_event(run(*[FINE] * 99, FAILED, count=100))
    assert (len(event["measurements"]), event["left_out"]) == (60, 40)
    assert event["measurements"][-1]["message"] == FAILED.message
    assert "(40 earlier ones)" in table(event)


def test_the_table_has_a_line_for_each_measurement() -> None:
    assert table(as_event(run(FINE, FAILED))).splitlines() == [
        "  #  metric        outcome       what was seen",
        "  1  golden rows   Successful    2 pods answered as in training",
        "  1  error rate    Failed        5 % of 100 answers failed, allowed 1 %; most at p1: 5 with status 500 of 60",
    ]


def test_a_bad_version_names_metric_value_limit_pod_and_what_happens_to_it() -> None:
    error = bad("iris canary", as_event(run(FINE, FAILED)), limit=0, namespace="models")
    assert isinstance(error, RolloutError)
    assert str(error) == (
        "did not take the new version: iris canary: error rate is not as it must be, measurement 1: 5 % of 100 answers "
        "failed, allowed 1 %; most at p1: 5 with status 500 of 60. Undo takes it back; the champion gets all requests again. "
        "Its log says more, for as long as it is there: kubectl logs -n models p1"
    )


def test_a_version_that_could_not_be_measured_says_how_often() -> None:
    event = as_event(run(*[Measurement("golden rows", "Error", "pod p1: no answer in 30 s")] * 3, error_limit=2))
    error = bad("iris green", event, limit=2, namespace="models")
    assert error.why == (
        "golden rows could not be measured, measurement 3: pod p1: no answer in 30 s (2 in a row allowed)"
    )
    assert "kubectl logs -n models <pod>" in error.fix


def test_a_good_version_in_one_line() -> None:
    assert good("iris canary", as_event(run(FINE, FINE))) == "iris canary is good: 2 measurements of golden rows"


def test_a_person_is_told_what_could_not_be_told_and_what_each_answer_does() -> None:
    doubt = Measurement("error rate", "Inconclusive", "3 requests in this interval, at least 10 say something")
    asked = question(as_event(run(FINE, doubt)))
    assert "It cannot be told whether it is good: error rate: 3 requests in this interval" in asked
    assert "Approve lets the rollout go on. Reject takes the version back." in asked
    assert table(as_event(run(FINE, doubt))) in asked


def test_an_error_that_may_pass_is_still_one_that_is_tried_again() -> None:
    error = ConflictError("could not change the endpoint", on="iris", why="it is the turn of r2", fix="Wait.")
    assert isinstance(find_error(error_as_event(error)), ConflictError)
