from __future__ import annotations

from typing import Any

import numpy as np

from slipway.core.bundle import Feature
from slipway.training.golden import GOLDEN_ROWS, json_rows, make_golden
from slipway.training.samples import Samples
from slipway.training.scorer import Scores

FEATURES = (
    Feature(name="colour", type="category", nullable=True),
    Feature(name="share", type="number", nullable=True),
    Feature(name="count", type="integer", nullable=False, minimum=0),
    Feature(name="open", type="boolean", nullable=False),
)


def rows(count: int) -> Samples:
    numbers = np.column_stack([np.full(count, 0.1), np.arange(count), np.arange(count) % 2]).astype(np.float32)
    return Samples(numbers, np.array([["red"]] * count, object))


class Sure:
    """Says the class that `count` names, modulo the number of classes, more or less surely."""

    def __init__(self, classes: int, ties: tuple[int, ...] = ()) -> None:
        self._classes, self._ties = classes, ties

    def score(self, samples: Samples) -> Scores:
        counts = samples.numbers[:, 1].astype(int)
        chances = np.full((len(counts), self._classes), 0.1)
        chances[np.arange(len(counts)), counts % self._classes] = 0.8
        chances[np.isin(counts, self._ties)] = 1 / self._classes
        return Scores(chances.argmax(axis=1), chances)


def golden(count: int, classes: int, **more: Any) -> Any:
    samples, scorer = rows(count), Sure(classes, **more)
    truth = np.arange(count) % classes
    names = [f"c{code}" for code in range(classes)]
    return make_golden(samples, truth, scorer.score(samples), scorer, FEATURES, names)


def test_every_class_has_its_row_and_the_answers_are_the_model_s() -> None:
    found = golden(300, 7)
    assert (found.features, len(found.rows)) == (("colour", "share", "count", "open"), GOLDEN_ROWS)
    assert set(found.predictions) == {f"c{code}" for code in range(7)}
    assert [row[2] % 7 for row in found.rows] == [int(name[1:]) for name in found.predictions]
    assert found.probabilities[0] == tuple(Sure(7).score(rows(1)).probabilities[0])


def test_a_row_that_the_last_bit_would_decide_is_left_out() -> None:
    assert {row[2] for row in golden(12, 2, ties=(3, 4, 5)).rows} == set(range(12)) - {3, 4, 5}


def test_values_are_what_a_client_would_write() -> None:
    samples = Samples(np.array([[np.nan, 3, 1], [0.1, 0, 0]], np.float32), np.array([[""], ["red"]], object))
    assert json_rows(samples, FEATURES) == [[None, None, 3, True], ["red", 0.1, 0, False]]


def test_a_row_outside_of_its_declared_bounds_is_left_out() -> None:
    samples = rows(30)
    samples.numbers[:10, 1] = -1
    scorer = Sure(2)
    found = make_golden(samples, np.arange(30) % 2, scorer.score(samples), scorer, FEATURES, ["no", "yes"])
    assert all(row[2] >= 10 for row in found.rows)


def test_for_numbers_the_rows_are_spread_over_the_target() -> None:
    samples = rows(200)

    class Same:
        def score(self, part: Samples) -> Scores:
            return Scores(part.numbers[:, 1].astype(float), None)

    truth = np.arange(200.0)
    found = make_golden(samples, truth, Same().score(samples), Same(), FEATURES, None)
    assert (found.predictions[0], found.predictions[-1], len(found.rows)) == (0, 199, GOLDEN_ROWS)
    assert found.probabilities is None
