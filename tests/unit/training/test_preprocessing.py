"""What stands before an estimator when the model file says nothing, and what the file may put there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from slipway.core.column import Column, Schema
from slipway.core.errors import ConfigurationError
from slipway.training.preprocessing import build_pipeline

SCHEMA = Schema(
    features=(
        Column(name="age", type="number", nullable=True),
        Column(name="colour", type="category", nullable=True),
        Column(name="height", type="integer"),
    ),
    target=Column(name="y", type="category"),
)
FRAME = pd.DataFrame({"age": [1.0, None, 3.0, 8.0], "colour": ["red", "", "blue", "red"], "height": [1, 2, 3, 6]})
TARGET = np.array([0, 1, 0, 1])


def prepared(estimator: Any, frame: pd.DataFrame = FRAME) -> Any:
    """What the estimator gets for `frame`, fitted on FRAME."""
    pipeline = build_pipeline(SCHEMA, estimator, None).fit(FRAME, TARGET)
    made = pipeline[0].transform(frame)
    return made.toarray() if hasattr(made, "toarray") else made


def test_numbers_are_imputed_by_the_median_and_scaled() -> None:
    age = prepared(LogisticRegression())[:, 0]
    filled = np.array([1, 3, 3, 8])
    assert age == pytest.approx((filled - filled.mean()) / filled.std())


def test_trees_get_the_very_numbers_that_came_in() -> None:
    assert prepared(RandomForestClassifier())[:, :2].tolist() == [[1, 1], [3, 2], [3, 3], [8, 6]]


def test_histogram_boosting_gets_nulls_as_they_are() -> None:
    assert np.isnan(prepared(HistGradientBoostingClassifier())[1, 0])


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), RandomForestClassifier(), HistGradientBoostingClassifier()]
)
def test_a_category_is_one_hot_and_an_unknown_one_is_zeros(estimator: Any) -> None:
    assert prepared(estimator)[:, 2:].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    unknown = FRAME.assign(colour="never seen")
    assert not prepared(estimator, unknown)[:, 2:].any()


def test_none_leaves_the_estimator_alone() -> None:
    assert [name for name, _ in build_pipeline(SCHEMA, LogisticRegression(), "none").steps] == ["estimator"]


def own(schema: Schema) -> ColumnTransformer:
    """A preprocessing of the user's own."""
    return ColumnTransformer([("kept", "passthrough", [schema.features[2].name])])


def no_transformer(_schema: Schema) -> str:
    """A mistake."""
    return "scaled"


def broken(_schema: Schema) -> None:
    """Another mistake."""
    raise KeyError("hight")


def test_one_of_the_user_s_own_takes_the_place_of_ours() -> None:
    pipeline = build_pipeline(SCHEMA, LogisticRegression(), f"{__name__}:own")
    assert pipeline.fit(FRAME, TARGET)[0].transform(FRAME).tolist() == [[1], [2], [3], [6]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no_transformer", "it gives str, which has no fit and transform"),
        ("broken", "calling it with the schema raised KeyError: 'hight'"),
        ("owm", "has no 'owm'. Did you mean own?"),
    ],
)
def test_a_wrong_one_is_a_configuration_error(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_pipeline(SCHEMA, LogisticRegression(), f"{__name__}:{name}")
    assert str(caught.value).startswith(f"could not use train.preprocessing: {__name__}:{name}: ")
    assert text in str(caught.value)
