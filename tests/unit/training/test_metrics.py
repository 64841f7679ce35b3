"""Every metric against scikit-learn's, weighted and not, and what a gate may ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference

from slipway.core.errors import ConfigurationError
from slipway.core.metric_name import METRIC_NAMES
from slipway.training.metrics import METRICS, get_metric, measure
from slipway.training.outcome import Outcome

RANDOM = np.random.default_rng(3)
ROWS = 200


def classified(classes: int) -> Outcome:
    """Answers that are right more often than not, with ties among the probabilities."""
    truth = np.concatenate([np.arange(classes), RANDOM.integers(0, classes, ROWS - classes)])
    raw = RANDOM.random((ROWS, classes)).round(1) + 0.1 + np.eye(classes)[truth] * 0.4
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    return Outcome(truth, probabilities.argmax(axis=1), probabilities, classes)


TWO, FOUR = classified(2), classified(4)
NUMBERS = Outcome(RANDOM.normal(50, 9, ROWS), RANDOM.normal(50, 9, ROWS), None, 0)
WEIGHTINGS = np.vstack([np.ones(ROWS), RANDOM.integers(1, 4, ROWS), RANDOM.integers(0, 3, ROWS)]).astype(float)


def expected(name: str, outcome: Outcome, weight: Any) -> float:
    """What scikit-learn says."""
    truth, predicted, chances = outcome.truth, outcome.predicted, outcome.probabilities
    second = chances[:, 1] if chances is not None else None
    one_against_rest = {"multi_class": "ovr", "average": "macro"}
    if name == "rmse":
        return float(reference.root_mean_squared_error(truth, predicted, sample_weight=weight))
    if name == "roc_auc" and outcome.class_count > 2:
        # With sample weights, scikit-learn's own multi-class score takes them per class, as ours does.
        curves = [
            reference.roc_auc_score(truth == code, chances[:, code], sample_weight=weight)
            for code in range(outcome.class_count)
        ]
        assert weight.max() > 1 or np.mean(curves) == pytest.approx(
            reference.roc_auc_score(truth, chances, **one_against_rest)
        )
        return float(np.mean(curves))
    given: dict[str, Any] = {
        "accuracy": (reference.accuracy_score, predicted, {}),
        "balanced_accuracy": (reference.balanced_accuracy_score, predicted, {}),
        "f1_macro": (reference.f1_score, predicted, {"average": "macro"}),
        "roc_auc": (reference.roc_auc_score, second, {}),
        "pr_auc": (reference.average_precision_score, second, {}),
        "log_loss": (reference.log_loss, chances, {}),
        "brier": (reference.brier_score_loss, second, {}),
        "r2": (reference.r2_score, predicted, {}),
        "mae": (reference.mean_absolute_error, predicted, {}),
    }
    function, answers, options = given[name]
    return float(function(truth, answers, sample_weight=weight, **options))


CASES = [
    *[(name, TWO) for name in METRIC_NAMES["classification"]],
    *[(name, FOUR) for name in ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss")],
    *[(name, NUMBERS) for name in METRIC_NAMES["regression"]],
]


@pytest.mark.parametrize(("name", "outcome"), CASES, ids=[f"{name}-{case.class_count}" for name, case in CASES])
def test_a_metric_is_scikit_learn_s_under_every_weighting(name: str, outcome: Outcome) -> None:
    found = METRICS[name].prepare(outcome)(WEIGHTINGS)
    assert found == pytest.approx([expected(name, outcome, weight) for weight in WEIGHTINGS], rel=1e-9)


def test_a_draw_of_one_class_leaves_the_area_undefined() -> None:
    only_first = (TWO.truth == 0).astype(float)[None]
    assert np.isnan(METRICS["roc_auc"].prepare(TWO)(only_first)).all()


def test_the_names_of_the_model_file_are_the_metrics() -> None:
    assert {task: tuple(m.name for m in METRICS.values() if m.task == task) for task in METRIC_NAMES} == METRIC_NAMES


@pytest.mark.parametrize(
    ("outcome", "task"), [(TWO, "classification"), (FOUR, "classification"), (NUMBERS, "regression")]
)
def test_every_interval_holds_its_value_and_the_same_seed_gives_it_again(outcome: Outcome, task: Any) -> None:
    found = measure(outcome, task, seed=7)
    assert all(interval.low < interval.value < interval.high for interval in found.values())
    assert found == measure(outcome, task, seed=7)
    assert found != measure(outcome, task, seed=8)


@pytest.mark.parametrize(
    ("name", "task", "probabilities", "classes", "text"),
    [
        ("rmse", "classification", True, 2, "it is a metric for regression, and this model does classification"),
        ("roc_auc", "classification", False, 2, "it needs probabilities, which this estimator does not give"),
        ("brier", "classification", True, 3, "it is for two classes, and this target has more"),
        ("nonsense", "regression", False, None, "there is no such metric"),
    ],
)
def test_a_metric_that_does_not_fit_names_those_that_do(
    name: str, task: Any, probabilities: bool, classes: int | None, text: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        get_metric(name, task, has_probabilities=probabilities, class_count=classes)
    assert text in str(caught.value)
    fitting = "r2, rmse, mae" if task == "regression" else "accuracy, balanced_accuracy, f1_macro"
    assert f"Allowed for this model: {fitting}" in str(caught.value)


def test_without_a_name_it_is_accuracy_or_r2() -> None:
    assert get_metric(None, "classification", has_probabilities=False).name == "accuracy"
    assert get_metric(None, "regression", has_probabilities=False).name == "r2"
