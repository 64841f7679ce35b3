"""Confidence intervals by the percentile bootstrap (B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13): the holdout rows are drawn again with replacement, each draw is scored, and the middle 95 % of the scores are
the interval.

The work is bounded: 1000 draws for small holdouts, fewer for large ones, whose intervals are narrow anyhow, down to 100.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from slipway.core.release import Interval

FloatArray = npt.NDArray[np.float64]
Score = Callable[[FloatArray], FloatArray]

_MOST_DRAWS, _LEAST_DRAWS = 1000, 100
_BUDGET = 20_000_000  # rows drawn in all
_BLOCK = 2_000_000  # weights held in memory at once, 16 MB


def draw_count(rows: int, class_count: int = 0) -> int:
    """How many times `rows` rows are drawn; a one-against-rest metric costs per class, so many classes mean fewer."""
    return int(np.clip(_BUDGET / (rows * max(1.0, class_count / 5)), _LEAST_DRAWS, _MOST_DRAWS))


def draws(rows: int, seed: int, count: int) -> Iterator[FloatArray]:
    """`count` draws in blocks of weights [B, rows]: how often each row was drawn."""
    generator = np.random.default_rng(seed)
    size = max(1, _BLOCK // rows)
    for start in range(0, count, size):
        block = np.empty((min(size, count - start), rows))
        for weights in block:
            weights[:] = np.bincount(generator.integers(0, rows, rows), minlength=rows)
        yield block


def estimate(scores: Mapping[str, Score], rows: int, seed: int, class_count: int = 0) -> dict[str, Interval | None]:
    """Value and 95 % interval of every score, on the same draws; None for one that is undefined on the rows themselves.

    A draw that leaves a score undefined (one class only) does not count for that score.
    """
    once = np.ones((1, rows))
    values = {name: float(score(once)[0]) for name, score in scores.items()}
    drawn: dict[str, list[FloatArray]] = {name: [] for name in scores}
    for weights in draws(rows, seed, draw_count(rows, class_count)):
        for name, score in scores.items():
            drawn[name].append(score(weights))
    return {
        name: None if np.isnan(values[name]) else interval(values[name], np.concatenate(drawn[name])) for name in scores
    }


def estimate_difference(
    candidate: Score, champion: Score, rows: int, seed: int, class_count: int, sign: int
) -> tuple[Interval | None, Interval | None]:
    """The champion's interval and that of `sign` times candidate minus champion, both scored on the same draws.

    None where a score is undefined on the rows themselves.
    """
    pair: dict[str, Score] = {
        "champion": champion,
        "difference": lambda weights: sign * (candidate(weights) - champion(weights)),
    }
    found = estimate(pair, rows, seed, class_count)
    return found["champion"], found["difference"]


def interval(value: float, drawn: FloatArray) -> Interval:
    """The middle 95 % of the draws that are defined; the bare value if none is."""
    defined = drawn[~np.isnan(drawn)]
    if not defined.size:
        return Interval(value=value, low=value, high=value)
    low, high = np.percentile(defined, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high))
