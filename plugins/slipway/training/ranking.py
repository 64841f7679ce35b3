"""Areas under the ROC and the precision-recall curve for many row weightings at once, without scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slipway.training.bootstrap import FloatArray, Score


class Climb(NamedTuple):
    """Weight of the positive rows, and of all rows, that score at least a threshold: [B, thresholds], falling ones."""

    positive: FloatArray
    every: FloatArray


class Ranking:
    """Rows sorted by falling score; rows of equal score have one threshold."""

    def __init__(self, positive: npt.NDArray[np.bool_], scores: npt.NDArray[Any]) -> None:
        self.rows = len(scores)
        self._order = np.argsort(-scores, kind="stable")
        ranked = scores[self._order]
        self._ends = np.flatnonzero(np.concatenate((ranked[1:] != ranked[:-1], [True])))
        self._positive = positive[self._order].astype(np.float64)

    def climb(self, weights: FloatArray) -> Climb:
        """The two curves for weights [B, N]."""
        ranked = np.take(weights, self._order, axis=1)
        return Climb(self._sums(ranked * self._positive), self._sums(ranked))

    def _sums(self, ranked: FloatArray) -> FloatArray:
        np.cumsum(ranked, axis=1, out=ranked)
        return ranked if len(self._ends) == ranked.shape[1] else np.take(ranked, self._ends, axis=1)


def area_under_roc(climb: Callable[[FloatArray], Climb]) -> Score:
    """Weights [B, N] -> area [B]: the chance that a positive row is ranked above a negative one, ties counting half."""

    def score(weights: FloatArray) -> FloatArray:
        positive, every = climb(weights)
        negative = every - positive
        # The trapezoids between two thresholds; the first starts at nothing.
        doubled = np.einsum("ij,ij->i", np.diff(negative, axis=1), positive[:, 1:] + positive[:, :-1])
        doubled += negative[:, 0] * positive[:, 0]
        return _over(doubled / 2, positive[:, -1] * negative[:, -1])

    return score


def average_precision(climb: Callable[[FloatArray], Climb]) -> Score:
    """Weights [B, N] -> average precision [B]: the sum over falling thresholds of precision times gained recall."""

    def score(weights: FloatArray) -> FloatArray:
        positive, every = climb(weights)
        precision = positive / np.where(every > 0, every, 1)
        gained = np.einsum("ij,ij->i", np.diff(positive, axis=1), precision[:, 1:]) + positive[:, 0] * precision[:, 0]
        return _over(gained, positive[:, -1])

    return score


def _over(values: FloatArray, total: FloatArray) -> FloatArray:
    share: FloatArray = np.divide(values, total, out=np.full(len(total), np.nan), where=total > 0)
    return share
