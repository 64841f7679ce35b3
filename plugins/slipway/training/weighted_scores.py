"""Every metric as a function of row weights, many weightings at once: that makes the bootstrap a matter of a few matrix
products. Equal weights give the metric itself; the definitions are scikit-learn's, and tests compare them.

Each function here prepares one outcome and returns a `Score`: [B, N] weights -> [B] values, NaN where undefined.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slipway.training.bootstrap import FloatArray, Score
from slipway.training.outcome import Outcome
from slipway.training.ranking import area_under_roc, average_precision


def accuracy(outcome: Outcome) -> Score:
    """Share of rows whose label is right."""
    return _mean((outcome.truth == outcome.predicted).astype(np.float64))


def balanced_accuracy(outcome: Outcome) -> Score:
    """Mean over the classes of the share that was found (recall)."""

    def score(weights: FloatArray) -> FloatArray:
        hits, actual, _ = outcome.class_sums(weights)
        return _mean_where(hits, actual, actual > 0)

    return score


def f1_macro(outcome: Outcome) -> Score:
    """Mean over the classes of F1, 2 tp / (2 tp + fp + fn)."""

    def score(weights: FloatArray) -> FloatArray:
        hits, actual, claimed = outcome.class_sums(weights)
        return _mean_where(2 * hits, actual + claimed, actual + claimed > 0)

    return score


def log_loss(outcome: Outcome) -> Score:
    """Mean negative logarithm of the probability given to the true class, clipped at the type's epsilon."""
    assert outcome.probabilities is not None
    given = outcome.probabilities[np.arange(len(outcome)), outcome.truth]
    epsilon = np.finfo(given.dtype).eps
    return _mean(-np.log(np.clip(given, epsilon, 1 - epsilon).astype(np.float64)))


def brier(outcome: Outcome) -> Score:
    """Mean squared gap between the probability of the second class and 0 or 1 (two classes)."""
    return _mean((_second(outcome) - outcome.truth) ** 2)


def roc_auc(outcome: Outcome) -> Score:
    """Area under the ROC curve of the second class; for more classes the mean of one against the rest."""
    if outcome.class_count == 2:
        return area_under_roc(outcome.second_climb)
    curves = [area_under_roc(ranking.climb) for ranking in outcome.rankings]
    return lambda weights: np.mean([curve(weights) for curve in curves], axis=0)


def pr_auc(outcome: Outcome) -> Score:
    """Average precision of the second class (two classes)."""
    return average_precision(outcome.second_climb)


def r2(outcome: Outcome) -> Score:
    """Share of the target's variance that is explained: 1 - residual / total sum of squares."""
    squares = (outcome.truth - outcome.predicted) ** 2
    centred = outcome.truth - outcome.truth.mean()  # a shift changes nothing and keeps the sums small

    def score(weights: FloatArray) -> FloatArray:
        total = weights @ centred**2 - (weights @ centred) ** 2 / weights.sum(axis=1)
        nothing = np.full(len(weights), np.nan)
        share: FloatArray = np.divide(total - weights @ squares, total, out=nothing, where=total > 0)
        return share

    return score


def rmse(outcome: Outcome) -> Score:
    """Root of the mean squared error, in the target's unit."""
    mean = _mean((outcome.truth - outcome.predicted) ** 2)
    return lambda weights: np.sqrt(mean(weights))


def mae(outcome: Outcome) -> Score:
    """Mean absolute error, in the target's unit."""
    return _mean(np.abs(outcome.truth - outcome.predicted))


def _mean(values: FloatArray) -> Score:
    def score(weights: FloatArray) -> FloatArray:
        mean: FloatArray = weights @ values / weights.sum(axis=1)
        return mean

    return score


def _second(outcome: Outcome) -> FloatArray:
    assert outcome.probabilities is not None
    return outcome.probabilities[:, 1].astype(np.float64)


def _mean_where(numerator: FloatArray, denominator: FloatArray, counted: npt.NDArray[np.bool_]) -> FloatArray:
    """Mean over the classes of numerator / denominator, of the classes that occur in a weighting."""
    share = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=counted)
    mean: FloatArray = share.sum(axis=1) / counted.sum(axis=1)
    return mean
