"""Areas under the ROC and the precision-recall curve for many row weightings at once, without scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class Ranking:
    """Rows sorted by falling score; rows of equal score stand in one group."""

    def __init__(self, positive: npt.NDArray[np.bool_], scores: npt.NDArray[Any]) -> None:
        self.order = np.argsort(-scores, kind="stable")
        ranked = scores[self.order]
        self.starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
        self._positive = positive[self.order].astype(np.float64)

    def groups(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weight of positive and of negative rows per group, each [B, groups], for weights [B, N]."""
        ranked = weights[:, self.order]
        every = np.add.reduceat(ranked, self.starts, axis=1)
        ranked *= self._positive
        positive = np.add.reduceat(ranked, self.starts, axis=1)
        return positive, every - positive


def area_under_roc(positive: npt.NDArray[np.bool_], scores: npt.NDArray[Any]) -> Callable[[FloatArray], FloatArray]:
    """Weights [B, N] -> area [B]: the chance that a positive row is ranked above a negative one, ties counting half."""
    ranking = Ranking(positive, scores)

    def score(weights: FloatArray) -> FloatArray:
        hits, misses = ranking.groups(weights)
        above = np.cumsum(hits, axis=1) - hits / 2
        pairs = hits.sum(axis=1) * misses.sum(axis=1)
        nothing = np.full(len(weights), np.nan)
        area: FloatArray = np.divide((misses * above).sum(axis=1), pairs, out=nothing, where=pairs > 0)
        return area

    return score


def average_precision(positive: npt.NDArray[np.bool_], scores: npt.NDArray[Any]) -> Callable[[FloatArray], FloatArray]:
    """Weights [B, N] -> average precision [B]: the sum over falling thresholds of precision times gained recall."""
    ranking = Ranking(positive, scores)

    def score(weights: FloatArray) -> FloatArray:
        hits, misses = ranking.groups(weights)
        found = np.cumsum(hits, axis=1)
        claimed = found + np.cumsum(misses, axis=1)
        precision = np.divide(found, claimed, out=np.zeros_like(found), where=claimed > 0)
        total = hits.sum(axis=1)
        nothing = np.full(len(weights), np.nan)
        area: FloatArray = np.divide((hits * precision).sum(axis=1), total, out=nothing, where=total > 0)
        return area

    return score
