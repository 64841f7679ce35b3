"""When ONNX serves, and the words in which joblib is said to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline

from slipway.core.bundle import Feature
from slipway.training.export import export_pipeline, find_difference
from slipway.training.samples import Samples, frame_of
from slipway.training.scorer import Scores

FEATURES = (Feature(name="a", type="number", nullable=False), Feature(name="b", type="number", nullable=False))
NUMBERS = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
ROWS = Samples(NUMBERS, np.empty((60, 0), object))


class Oracle(RegressorMixin, BaseEstimator):
    """An estimator that no converter knows."""

    def fit(self, _rows: Any, _target: Any) -> Oracle:
        self.fitted_ = True
        return self

    def predict(self, rows: Any) -> Any:
        return np.zeros(len(rows))


def fitted(estimator: Any, target: Any) -> Pipeline:
    return Pipeline([("estimator", estimator)]).fit(frame_of(ROWS, FEATURES), target)


def test_a_pipeline_that_converts_is_compared_row_by_row() -> None:
    found = export_pipeline(fitted(LogisticRegression(), NUMBERS[:, 0] > 0), FEATURES, "classification", ROWS)
    assert (found.runtime, bool(found.graph)) == ("onnx", True)
    assert found.reason == "the whole pipeline converts, and agrees with scikit-learn on 60 holdout rows"


def test_one_that_does_not_convert_says_what_stands_in_the_way() -> None:
    found = export_pipeline(fitted(Oracle(), NUMBERS[:, 0]), FEATURES, "regression", ROWS)
    assert (found.runtime, found.graph) == ("joblib", None)
    assert found.reason.startswith("the pipeline does not convert to ONNX (")
    assert "Oracle" in found.reason


def test_one_that_converts_to_something_else_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph of another model stands for a converter with a mistake in it."""
    from slipway.training import onnx_graph

    right, wrong = (fitted(LinearRegression(), NUMBERS[:, 0] * factor) for factor in (1, 2))
    graph = onnx_graph.to_graph(wrong, FEATURES, "regression")
    monkeypatch.setattr(onnx_graph, "to_graph", lambda *_: graph)
    found = export_pipeline(right, FEATURES, "regression", ROWS)
    assert (found.runtime, found.graph) == ("joblib", None)
    assert found.reason.startswith(
        "the ONNX graph disagrees with scikit-learn: predictions of 60 of 60 rows, by up to "
    )


def scores(chances: list[list[float]]) -> Scores:
    table = np.array(chances)
    return Scores(table.argmax(axis=1), table)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([[0.9, 0.1], [0.3, 0.7]], None),
        ([[0.90001, 0.09999], [0.3, 0.7]], None),
        ([[0.91, 0.09], [0.3, 0.7]], "probabilities of 1 of 2 rows, by up to 0.01"),
        ([[float("nan"), 0.1], [0.3, 0.7]], "probabilities of 1 of 2 rows, by up to 0"),
        ([[0.9, 0.1, 0], [0.3, 0.7, 0]], "the probabilities have another shape"),
    ],
)
def test_a_difference_is_given_in_numbers(found: list[list[float]], text: str | None) -> None:
    assert find_difference(scores([[0.9, 0.1], [0.3, 0.7]]), scores(found)) == text


def test_labels_may_differ_in_a_tie_only() -> None:
    tie, clear = np.array([[0.500001, 0.499999]]), np.array([[0.6, 0.4]])
    first, second = np.array([0]), np.array([1])
    assert find_difference(Scores(first, tie), Scores(second, tie)) is None
    assert find_difference(Scores(first, clear), Scores(second, clear)) == "labels of 1 of 1 rows"
