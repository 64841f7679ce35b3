"""The intervals against what theory and a plain loop say."""

from __future__ import annotations

import numpy as np
import pytest

from slipway.training import bootstrap
from slipway.training.bootstrap import FloatArray, draw_count, draws, estimate, estimate_difference, interval

VALUES = np.random.default_rng(1).normal(10, 2, 400)


def score(values: FloatArray):  # type: ignore[no-untyped-def]
    return lambda weights: weights @ values / weights.sum(axis=1)


def test_the_interval_of_a_mean_is_the_one_of_theory() -> None:
    [found] = estimate({"mean": score(VALUES)}, len(VALUES), seed=0).values()
    assert found is not None
    error = VALUES.std() / np.sqrt(len(VALUES))
    assert found.value == pytest.approx(VALUES.mean())
    assert found.low == pytest.approx(VALUES.mean() - 1.96 * error, abs=error / 4)
    assert found.high == pytest.approx(VALUES.mean() + 1.96 * error, abs=error / 4)


def test_weights_are_draws_with_replacement() -> None:
    """The same as scoring the drawn rows themselves, one draw at a time."""
    weights = np.vstack(list(draws(50, seed=3, count=20)))
    generator = np.random.default_rng(3)
    rows = [generator.integers(0, 50, 50) for _ in range(20)]
    assert weights.sum(axis=1) == pytest.approx(50)
    assert score(VALUES[:50])(weights) == pytest.approx([VALUES[:50][drawn].mean() for drawn in rows])


def test_blocks_scored_side_by_side_give_what_one_after_the_other_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where two scores share work on a block, which each thread remembers for itself."""
    shared = bootstrap.remembering(lambda weights: weights @ VALUES)
    scores = {"sum": shared, "mean": lambda weights: shared(weights) / weights.sum(axis=1)}
    whole = estimate(scores, len(VALUES), seed=5)
    monkeypatch.setattr(bootstrap, "_BLOCK", 3 * len(VALUES))
    assert estimate(scores, len(VALUES), seed=5) == whole
    expected = np.percentile(np.vstack(list(draws(len(VALUES), 5, 1000))) @ VALUES, [2.5, 97.5])
    assert whole["sum"] is not None
    assert [whole["sum"].low, whole["sum"].high] == pytest.approx(expected)


def test_a_paired_difference_is_narrower_than_the_two_alone() -> None:
    """The same rows are easy or hard for both, and that cancels out."""
    better = VALUES + 0.05 + np.random.default_rng(2).normal(0, 0.1, len(VALUES))
    champion, difference = estimate_difference(score(better), score(VALUES), len(VALUES), 0, 0, sign=1)
    assert champion is not None
    assert difference is not None
    assert 0 < difference.low < 0.05 < difference.high
    assert difference.high - difference.low < (champion.high - champion.low) / 5
    _, worse = estimate_difference(score(better), score(VALUES), len(VALUES), 0, 0, sign=-1)
    assert worse is not None
    assert worse.high < 0


def test_draws_that_leave_a_score_undefined_do_not_count() -> None:
    assert interval(0.5, np.array([0.4, np.nan, 0.6])).low > 0.4
    assert interval(0.5, np.array([np.nan])).model_dump() == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert estimate({"never": lambda weights: np.full(len(weights), np.nan)}, 10, seed=0) == {"never": None}


@pytest.mark.parametrize(
    ("rows", "classes", "count"), [(100, 0, 1000), (100_000, 0, 200), (10**7, 0, 100), (50_000, 20, 100)]
)
def test_the_work_is_bounded(rows: int, classes: int, count: int) -> None:
    assert draw_count(rows, classes) == count
