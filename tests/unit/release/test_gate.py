"""The gate's rule: minimum, age, non-inferiority, and what a person may override."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.core.model_file import Gate
from slipway.core.release import Champion, Comparison, Interval
from slipway.release.gate import DeployChoice, decide

CHAMPION = Champion(release=3, model_id="old", partition="2013-01-05T00:00:00Z")


def comparison(
    low: float, high: float, *, champion: Champion | None = CHAMPION, score: float = 0.9, higher: bool = True
) -> Comparison:
    difference = Interval(value=(low + high) / 2, low=low, high=high) if champion else None
    return Comparison(
        metric="roc_auc",
        candidate=Interval(value=score, low=score, high=score),
        higher_is_better=higher,
        rows=100,
        champion=champion,
        difference=difference,
    )


@pytest.mark.parametrize(
    ("low", "high", "rule", "outcome", "deploy"),
    [
        (0.01, 0.05, "not_worse", "better", True),
        (-0.02, 0.05, "not_worse", "not worse", True),
        (-0.02, 0.05, "better", "not worse", False),
        (-0.05, -0.01, "not_worse", "worse", False),
        (-0.05, -0.01, "ignore", "worse", True),
        (0.0, 0.0, "not_worse", "not worse", True),
        (0.0, 0.0, "better", "not worse", False),
    ],
)
def test_the_interval_of_the_difference_decides(low: float, high: float, rule: str, outcome: str, deploy: bool) -> None:
    verdict = decide(
        Gate(champion=rule),  # type: ignore[arg-type]
        comparison(low, high),
        partition="2013-01-06",
        model_id="new",
        choice="newer",
    )
    assert (verdict.outcome, verdict.deploy) == (outcome, deploy)
    assert "on 100 rows" in verdict.reason


@pytest.mark.parametrize(
    ("partition", "outcome"),
    [("2013-01-04", "too old"), ("2013-01-05T00:00:00+00:00", "better"), ("2013-01-06", "better")],
)
def test_only_a_partition_not_older_than_the_champion_s_may_deploy(partition: str, outcome: str) -> None:
    verdict = decide(Gate(), comparison(0.1, 0.2), partition=partition, model_id="new", choice="newer")
    assert verdict.outcome == outcome
    assert verdict.deploy == (outcome != "too old")


def test_a_first_release_needs_only_the_minimum() -> None:
    first = comparison(0, 0, champion=None, score=0.7)
    assert decide(Gate(minimum=0.6), first, partition="p", model_id="m", choice="newer").outcome == "first release"
    verdict = decide(Gate(minimum=0.8), first, partition="p", model_id="m", choice="newer")
    assert (verdict.outcome, verdict.deploy) == ("below minimum", False)
    assert verdict.reason == "roc_auc 0.7000 [0.7000, 0.7000], minimum 0.8"


def test_for_an_error_metric_the_minimum_is_an_upper_bound() -> None:
    error = comparison(0, 0, champion=None, score=3.0, higher=False)
    assert not decide(Gate(minimum=2), error, partition="p", model_id="m", choice="newer").deploy
    assert decide(Gate(minimum=4), error, partition="p", model_id="m", choice="newer").deploy


def test_the_champion_s_own_model_is_in_service_and_changes_nothing() -> None:
    verdict = decide(Gate(), comparison(0, 0), partition="2012-01-01", model_id="old", choice="newer")
    assert (verdict.outcome, verdict.deploy) == ("in service", True)


def test_a_champion_that_cannot_score_the_rows_stops_the_candidate() -> None:
    other = comparison(0, 0).model_copy(update={"difference": None, "obstacle": "another target: price"})
    verdict = decide(Gate(), other, partition="2013-01-06", model_id="new", choice="newer")
    assert (verdict.outcome, verdict.deploy, verdict.reason) == ("not comparable", False, "another target: price")
    assert decide(Gate(champion="ignore"), other, partition="2013-01-06", model_id="new", choice="newer").deploy


@given(
    low=st.floats(-1, 1),
    width=st.floats(0, 1),
    minimum=st.none() | st.floats(0, 1),
    day=st.integers(1, 28),
    choice=st.sampled_from(["never", "newer", "force"]),
)
def test_no_choice_is_ever_overruled(
    low: float, width: float, minimum: float | None, day: int, choice: DeployChoice
) -> None:
    """never never deploys, force always does, and by the rules nothing older or below the minimum does."""
    verdict = decide(
        Gate(minimum=minimum),
        comparison(low, low + width),
        partition=f"2013-01-{day:02}",
        model_id="new",
        choice=choice,
    )
    if choice == "newer":
        assert not (verdict.deploy and (day < 5 or (minimum or 0) > 0.9 or low + width < 0))
    else:
        assert verdict.deploy == (choice == "force")
