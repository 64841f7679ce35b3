"""The estimator that a model file names: built and seeded, or an error that says what to correct."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.core.errors import ConfigurationError
from slipway.core.model_file import Train
from slipway.training.estimator import build_estimator


def voting() -> Any:
    """Estimators in an estimator, one of them with a seed of its own."""
    from sklearn.ensemble import RandomForestClassifier, VotingClassifier
    from sklearn.linear_model import LogisticRegression

    return VotingClassifier([("a", RandomForestClassifier(random_state=5)), ("b", LogisticRegression())])


def not_one() -> str:
    """A mistake."""
    return "an estimator"


def failing() -> None:
    """Another one."""
    raise ZeroDivisionError("too deep")


THIRD_PARTY = 3


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("sklearn.linear_model.LogisticRegression", "classification"),
        ("sklearn.linear_model.Ridge", "regression"),
        ("sklearn.ensemble:RandomForestClassifier", "classification"),
        (f"{__name__}:voting", "classification"),
    ],
)
def test_its_task_is_asked_of_it(name: str, task: str) -> None:
    estimator, found = build_estimator(Train(estimator=name))
    assert found == task
    assert callable(estimator.fit)


def test_the_seed_goes_wherever_none_was_set_also_inside() -> None:
    estimator, _ = build_estimator(Train(estimator=f"{__name__}:voting", seed=42))
    assert (estimator.get_params()["a__random_state"], estimator.get_params()["b__random_state"]) == (5, 42)


def test_what_the_file_sets_stays() -> None:
    params = {"random_state": None, "n_jobs": 2, "n_estimators": 7}
    estimator, _ = build_estimator(Train(estimator="sklearn.ensemble.RandomForestClassifier", params=params, seed=3))
    assert (estimator.random_state, estimator.n_jobs, estimator.n_estimators) == (None, 2, 7)


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"estimator": "sklearn.nothing.Ridge"}, "there is no module 'sklearn.nothing'. Airflow finds modules that lie in"),
        ({"estimator": "sklearn.linear_model.LogisticRegresion"}, "'LogisticRegresion'. Did you mean LogisticRegression?"),
        ({"estimator": "sklearn.linear_model.Xyzzy"}, "the module sklearn.linear_model has no 'Xyzzy'. Correct the spelling."),
        ({"estimator": "sklearn.linear_model.Ridge", "params": {"alhpa": 1}}, "argument 'alhpa', allowed: alpha"),
        ({"estimator": f"{__name__}:not_one"}, "it gives str without fit, predict, get_params: not an estimator"),
        ({"estimator": f"{__name__}:THIRD_PARTY"}, "it is a int: not an estimator"),
        ({"estimator": f"{__name__}:failing"}, "calling it with train.params raised ZeroDivisionError: too deep"),
        ({"estimator": "sklearn.linear_model.Ridge", "task": "classification"}, "Ridge does regression, the model file says"),
        ({"estimator": "sklearn.preprocessing.StandardScaler"}, "StandardScaler without predict: not an estimator"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_key(section: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_estimator(Train(**section))
    assert str(caught.value).startswith(f"could not use train.estimator: {section['estimator']}: ")
    assert text in str(caught.value)
