"""The server's answers are scikit-learn's, over every holdout row: the same labels, and probabilities within 1e-5.

Bundles are made by the pipeline's own training. Rows go through the server's own reading of JSON and its own model code, and
for the models that come with Slipway through a real server process too. scikit-learn's side is the bundle's pickle.
"""

from __future__ import annotations

import http.client
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from model_server.bundle import open_bundle
from model_server.errors import SchemaError
from model_server.model import Model
from slipway.core.model_file import Dataset, Train, parse_model_file
from slipway.local import flights, iris
from tests.bundle_maker import make_bundle
from tests.integration.serving.served import served
from tests.integration.serving.trained import MIXED, Trained, make_trained, mixed_rows

MODELS = Path(__file__).parents[3] / "dags" / "models"
TOLERANCE = 1e-5

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

CLASSIFIERS: dict[str, dict[str, Any]] = {
    "linear_model.LogisticRegression": {},
    "linear_model.SGDClassifier": {"loss": "log_loss"},
    "linear_model.RidgeClassifier": {},
    "svm.SVC": {"probability": True},
    "svm.LinearSVC": {},
    "naive_bayes.GaussianNB": {},
    "naive_bayes.BernoulliNB": {},
    "neighbors.KNeighborsClassifier": {},
    "neighbors.NearestCentroid": {},
    "discriminant_analysis.LinearDiscriminantAnalysis": {},
    "discriminant_analysis.QuadraticDiscriminantAnalysis": {"reg_param": 0.1},
    "neural_network.MLPClassifier": {"max_iter": 50},
    "tree.DecisionTreeClassifier": {"max_depth": 6},
    "ensemble.RandomForestClassifier": {"n_estimators": 20},
    "ensemble.ExtraTreesClassifier": {"n_estimators": 20},
    "ensemble.GradientBoostingClassifier": {"n_estimators": 20},
    "ensemble.HistGradientBoostingClassifier": {"max_iter": 20},
    "ensemble.AdaBoostClassifier": {"n_estimators": 10},
    "ensemble.BaggingClassifier": {},
}
REGRESSORS: dict[str, dict[str, Any]] = {
    "linear_model.LinearRegression": {},
    "linear_model.Lasso": {"alpha": 0.01},
    "linear_model.BayesianRidge": {},
    "linear_model.HuberRegressor": {},
    "linear_model.PoissonRegressor": {},
    "svm.SVR": {},
    "neighbors.KNeighborsRegressor": {},
    "neural_network.MLPRegressor": {"max_iter": 50},
    "tree.DecisionTreeRegressor": {"max_depth": 6},
    "ensemble.RandomForestRegressor": {"n_estimators": 20},
    "ensemble.GradientBoostingRegressor": {"n_estimators": 20},
    "ensemble.HistGradientBoostingRegressor": {"max_iter": 20},
    "isotonic.IsotonicRegression": {},
}
# What joblib serves, with what training recorded as the reason.
FALL_BACK = {
    "svm.LinearSVC": "does not convert to ONNX (NameError: Option 'zipmap' not in",
    "neighbors.NearestCentroid": "does not convert to ONNX (MissingShapeCalculator",
    "discriminant_analysis.LinearDiscriminantAnalysis": "disagrees with scikit-learn: probabilities of",
    "ensemble.BaggingClassifier": "disagrees with scikit-learn: probabilities of",
    "isotonic.IsotonicRegression": "does not convert to ONNX (MissingShapeCalculator",
}


def trained(folder: Path, family: str, params: dict[str, Any], kind: str) -> Trained:
    frame, section = mixed_rows(), MIXED
    if kind == "regression":
        frame["late"] = (frame["delay"].fillna(0) + frame["hour"] + (frame["carrier"] == "UA") * 20 + 80).round(3)
        section = Dataset.model_validate(
            section.model_dump() | {"columns": {**MIXED.columns, "late": {"type": "number"}}}
        )
    one = "tests.integration.serving.trained:hours" if family.startswith("isotonic") else None
    return make_trained(folder, frame, section, Train(estimator=f"sklearn.{family}", params=params, preprocessing=one))


def assert_equal_to_pipeline(made: Trained) -> None:
    """Every holdout row, as JSON by name, through the server's model."""
    model = Model.load(open_bundle(made.folder, made.digest))
    model.warm_up()
    rows, _ = model.schema.rows_of(json.loads(made.raw.to_json(orient="records", double_precision=15)))
    found = model.predict(model.schema.inputs(rows), probabilities=model.has_probabilities)
    expected = made.pipeline.predict(made.rows)
    if model.labels.classes is None:
        np.testing.assert_allclose(found.predicted, expected, rtol=TOLERANCE, atol=TOLERANCE * np.abs(expected).max())
        return
    assert found.predicted.tolist() == expected.tolist()
    assert model.has_probabilities == hasattr(made.pipeline, "predict_proba")
    if found.probabilities is not None:
        np.testing.assert_allclose(found.probabilities, made.pipeline.predict_proba(made.rows), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("kind", "family"),
    [*(("classification", family) for family in CLASSIFIERS), *(("regression", family) for family in REGRESSORS)],
)
def test_a_family_of_estimators(tmp_path: Path, kind: str, family: str) -> None:
    made = trained(tmp_path, family, (CLASSIFIERS | REGRESSORS)[family], kind)
    assert made.metadata["task"] == kind
    assert (made.metadata["runtime"] == "joblib") == (family in FALL_BACK), made.metadata["runtime_reason"]
    assert FALL_BACK.get(family, "converts, and agrees") in made.metadata["runtime_reason"]
    assert_equal_to_pipeline(made)


def test_iris(tmp_path: Path) -> None:
    file = parse_model_file((MODELS / "iris.yaml").read_text(), "iris.yaml")
    [(_, content)] = iris.files()
    frame = pd.read_csv(io.BytesIO(content))
    made = make_trained(tmp_path, frame, file.dataset, file.train, model="iris")
    assert made.metadata["runtime"] == "onnx"
    assert_equal_to_pipeline(made)
    assert_equal_over_http(made)


def test_breast_cancer_by_a_random_forest(tmp_path: Path) -> None:
    frame = load_breast_cancer(as_frame=True).frame.rename(columns=lambda name: name.replace(" ", "_"))
    frame["target"] = frame["target"].map({0: "malignant", 1: "benign"})
    section = Dataset.model_validate({"uri": "rows.csv", "target": "target"})
    forest = Train(estimator="sklearn.ensemble.RandomForestClassifier", params={"n_estimators": 100}, holdout=0.3)
    made = make_trained(tmp_path, frame, section, forest)
    assert made.metadata["runtime"] == "onnx"
    assert_equal_to_pipeline(made)
    assert_equal_over_http(made)


def test_flights_by_histogram_boosting(tmp_path: Path) -> None:
    """Of the year, five days."""
    file = parse_model_file((MODELS / "flights.yaml").read_text(), "flights.yaml")
    year = flights.prepared(flights.read())
    frame = year[year["date"].between("2013-02-01", "2013-02-05")][[*flights.FEATURES, "late"]].reset_index(drop=True)
    made = make_trained(tmp_path, frame, file.dataset, file.train, model="flights")
    assert made.metadata["runtime"] == "onnx"
    assert len(made.rows) > 1000
    assert_equal_to_pipeline(made)
    assert_equal_over_http(made)


def assert_equal_over_http(made: Trained) -> None:
    """Every holdout row, by position and as CSV, to a real server process."""
    classes = made.metadata["classes"]
    bodies = {
        "application/json": json.dumps(
            {"features": json.loads(made.raw.to_json(orient="values", double_precision=15))}
        ),
        "text/csv": made.raw.to_csv(index=False),
    }
    with served(made.folder, made.digest) as address:
        for kind, body in bodies.items():
            connection = http.client.HTTPConnection(address, timeout=60)
            connection.request("POST", "/predict?probabilities=true", body.encode(), {"Content-Type": kind})
            answer = json.loads(connection.getresponse().read())
            connection.close()
            assert answer["prediction"] == [classes[code] for code in made.pipeline.predict(made.rows)]
            names = [name if isinstance(name, str) else str(name).lower() for name in classes]
            found = pd.DataFrame(answer["probabilities"])[names]
            np.testing.assert_allclose(found, made.pipeline.predict_proba(made.rows), rtol=0, atol=TOLERANCE)


def test_values_that_overflow_the_model_are_refused_by_row(tmp_path: Path) -> None:
    model = Model.load(open_bundle(tmp_path / "b", make_bundle(tmp_path / "b")))
    model.warm_up()
    inputs = model.schema.inputs([[5.1, 3.5, 1.4, 0.2], [3e38, 3e38, 3e38, 3e38]])
    with pytest.raises(SchemaError, match="row 2: the model gives no finite answer for these values"):
        model.predict(inputs, probabilities=True)
