"""Confidence intervals by the percentile bootstrap (B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13): the holdout rows are drawn again with replacement, each draw is scored, and the middle 95 % of the scores are
the interval.

The work is bounded: 1000 draws for small holdouts, fewer for large ones, whose intervals are narrow anyhow, down to 100.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from slipway.core.release import Interval

FloatArray = npt.NDArray[np.float64]
Score = Callable[[FloatArray], FloatArray]
T = TypeVar("T")

_MOST_DRAWS, _LEAST_DRAWS = 1000, 100
_BUDGET = 20_000_000  # rows drawn in all
_BLOCK = 500_000  # weights of one block, 4 MB: what the caches of a core can work on


def remembering(function: Callable[[FloatArray], T]) -> Callable[[FloatArray], T]:
    """`function`, which answers at once when a thread asks it again with the same array: several scores share its work."""
    last = threading.local()

    def answer(weights: FloatArray) -> T:
        if getattr(last, "weights", None) is not weights:
            last.answer, last.weights = function(weights), weights
        found: T = last.answer
        return found

    return answer


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
    values = {name: float(found[0]) for name, found in _scored(scores, np.ones((1, rows))).items()}
    blocks = list(_in_parallel(partial(_scored, scores), draws(rows, seed, draw_count(rows, class_count))))
    return {
        name: None if np.isnan(values[name]) else interval(values[name], np.concatenate([one[name] for one in blocks]))
        for name in scores
    }


def _scored(scores: Mapping[str, Score], weights: FloatArray) -> dict[str, FloatArray]:
    return {name: score(weights) for name, score in scores.items()}


def _in_parallel(work: Callable[[FloatArray], T], blocks: Iterator[FloatArray]) -> Iterator[T]:
    """What `work` makes of each block, in order, on all cores (NumPy lets go of the lock); a few blocks in memory at once."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[T]] = deque()
        for block in blocks:
            pending.append(pool.submit(work, block))
            if len(pending) > threads:
                yield pending.popleft().result()
        for future in pending:
            yield future.result()


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
