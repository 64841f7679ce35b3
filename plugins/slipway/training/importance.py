"""Permutation importance (L. Breiman, Random Forests, 2001): how much worse the answers get when one feature is shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slipway.core.bundle import Feature, Task
from slipway.training.metrics import METRICS, Metric
from slipway.training.outcome import Outcome
from slipway.training.samples import Samples, layout
from slipway.training.scorer import Scorer

_REPEATS = 3
_MOST_ROWS, _LEAST_ROWS = 1000, 50
_BUDGET = 100_000  # rows scored in all


class Importance(NamedTuple):
    """`loss` is the rise of the metric's error, mean over the shuffles; `spread` its standard deviation."""

    feature: str
    loss: float
    spread: float


class Importances(NamedTuple):
    """By falling loss; measured on `rows` holdout rows, `repeats` shuffles each."""

    metric: str
    rows: int
    repeats: int
    features: tuple[Importance, ...]


def measure_importance(
    scorer: Scorer,
    samples: Samples,
    truth: npt.NDArray[Any],
    features: Sequence[Feature],
    class_count: int,
    seed: int,
) -> Importances:
    """Shuffle every feature in turn among a random part of the holdout rows, so many that the cost stays bounded.

    Measured by log loss where there are probabilities, else by accuracy, for regression by RMSE.
    """
    generator = np.random.default_rng(seed)
    rows = int(np.clip(_BUDGET // (len(features) * _REPEATS), _LEAST_ROWS, _MOST_ROWS))
    chosen = np.sort(generator.permutation(len(samples))[:rows])
    part, actual = samples.take(chosen), truth[chosen]
    plain = scorer.score(part)
    task: Task = "classification" if class_count else "regression"
    metric = _metric(task, has_probabilities=plain.probabilities is not None)

    def error(shuffled: Samples) -> float:
        outcome = Outcome.of(actual, scorer.score(shuffled), class_count)
        value = float(metric.prepare(outcome)(np.ones((1, len(actual))))[0])
        return -value if metric.higher_is_better else value

    base = error(part)
    found = []
    for feature in features:
        losses = [error(_shuffled(part, features, feature, generator)) - base for _ in range(_REPEATS)]
        found.append(Importance(feature.name, float(np.mean(losses)), float(np.std(losses))))
    return Importances(metric.label, len(part), _REPEATS, tuple(sorted(found, key=lambda item: -item.loss)))


def _metric(task: Task, *, has_probabilities: bool) -> Metric:
    if task == "regression":
        return METRICS["rmse"]
    return METRICS["log_loss" if has_probabilities else "accuracy"]


def _shuffled(
    samples: Samples, features: Sequence[Feature], feature: Feature, generator: np.random.Generator
) -> Samples:
    numeric, text = layout(features)
    order = generator.permutation(len(samples))
    numbers, categories = samples.numbers, samples.categories
    if feature.is_numeric:
        numbers = numbers.copy()
        place = numeric.index(feature.name)
        numbers[:, place] = numbers[order, place]
    else:
        categories = categories.copy()
        place = text.index(feature.name)
        categories[:, place] = categories[order, place]
    return Samples(numbers, categories)
