"""Dataset file to bundle to verdict, through the stations' own code and a folder as the store."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from model_server.bundle import open_bundle
from model_server.model import Model
from slipway.core.dataset import DatasetRef
from slipway.core.errors import ConfigurationError, RejectedError
from slipway.core.model_file import Dataset, Gate, Train
from slipway.core.release import Champion, Comparison
from slipway.dataset.ingestion import ingest
from slipway.storage.object_store import ObjectStore, open_store
from slipway.training.comparison import compare
from slipway.training.evaluation import evaluate
from slipway.training.job import TrainingJob
from slipway.training.training import train

MIXED = Dataset(uri="x", target="y", columns={"a": {"nullable": True}, "c": {"type": "category", "nullable": True}})  # type: ignore[dict-item]


def rows(kind: str, count: int = 300, shift: float = 0.0) -> pd.DataFrame:
    """Three features, one with nulls, one of text, and a target that depends on them."""
    random = np.random.default_rng(7)
    frame = pd.DataFrame({"a": random.normal(size=count), "b": random.integers(0, 9, count)})
    frame["c"] = random.choice(["red", "green", "blue"], count)
    score = frame["a"] + frame["b"] / 4 + (frame["c"] == "red") * 2 + random.normal(size=count) / 4 + shift
    targets = {
        "regression": score.round(4),
        "binary": (score > score.median()).map({True: "yes", False: "no"}),
        "three": pd.cut(score, 3, labels=["low", "mid", "high"]),
    }
    frame["y"] = targets[kind]
    frame.loc[::17, "a"] = None
    frame.loc[::23, "c"] = None
    return frame


class Bench:
    """A store with a dataset in it, and the flows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: ObjectStore = open_store(str(folder / "store"))

    def ingest(self, frame: pd.DataFrame, section: Dataset = MIXED) -> DatasetRef:
        path = self.folder / f"{len(list(self.folder.glob('*.csv')))}.csv"
        frame.to_csv(path, index=False)
        work = self.new_folder()
        return ingest(str(path), None, section, self.store, champion_schema=None, champion_label="", work_dir=work)

    def new_folder(self) -> Path:
        path = self.folder / f"work-{len(list(self.folder.glob('work-*')))}"
        path.mkdir()
        return path

    def deliver(
        self, frame: pd.DataFrame, section: Train, gate: Gate | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        job = TrainingJob("m", self.ingest(frame), MIXED, section, gate or Gate())
        fit = train(job, self.store, self.new_folder())
        return fit, evaluate(job, fit, self.store, self.new_folder())

    def bundle(self, evaluation: dict[str, Any]) -> Path:
        """The bundle's files, as a rollout would fetch them."""
        path = self.new_folder()
        for name in [*json.loads(self.store.read(f"{evaluation['key']}manifest.json"))["files"], "manifest.json"]:
            self.store.download(f"{evaluation['key']}{name}", path / name)
        return path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("kind", "estimator", "params"),
    [
        ("three", "sklearn.linear_model.LogisticRegression", {"max_iter": 500}),
        ("binary", "sklearn.ensemble.RandomForestClassifier", {"n_estimators": 20}),
        ("three", "sklearn.ensemble.RandomForestClassifier", {"n_estimators": 20}),
        ("binary", "sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 20}),
        ("three", "sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 20}),
        ("binary", "sklearn.ensemble.GradientBoostingClassifier", {"n_estimators": 20}),
        ("binary", "sklearn.svm.SVC", {"probability": True}),
        ("three", "sklearn.neighbors.KNeighborsClassifier", {}),
        ("binary", "sklearn.neural_network.MLPClassifier", {"max_iter": 300}),
        ("regression", "sklearn.linear_model.LinearRegression", {}),
        ("regression", "sklearn.linear_model.Ridge", {}),
        ("regression", "sklearn.ensemble.RandomForestRegressor", {"n_estimators": 20}),
        ("regression", "sklearn.ensemble.HistGradientBoostingRegressor", {"max_iter": 20}),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_estimator_is_served_by_onnx_and_answers_as_scikit_learn(
    bench: Bench, kind: str, estimator: str, params: dict[str, Any]
) -> None:
    """The server, which shares no code with training, must accept the bundle and answer its golden rows."""
    _, evaluation = bench.deliver(rows(kind), Train(estimator=estimator, params=params))
    folder = bench.bundle(evaluation)
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["runtime"] == "onnx", metadata["runtime_reason"]
    model = Model.load(open_bundle(folder, evaluation["digest"]))
    model.warm_up()
    by_pipeline = Model.load(as_joblib(folder, evaluation["digest"]))
    by_pipeline.warm_up()
    golden = json.loads((folder / "golden.json").read_text())
    for mine, pickled in zip(answers(model, golden["rows"]), answers(by_pipeline, golden["rows"]), strict=True):
        assert mine == (pytest.approx(pickled, rel=1e-3, abs=1e-4) if kind == "regression" else pickled)


def as_joblib(folder: Path, digest: str) -> Any:
    bundle = open_bundle(folder, digest)
    pickled = (folder / "model.joblib").read_bytes()
    return replace(bundle, metadata={**bundle.metadata, "runtime": "joblib"}, model=pickled)


def answers(model: Model, rows: list[list[Any]]) -> list[Any]:
    return model.labels.values(model.predict(model.schema.inputs(rows)).predicted)


def test_what_onnx_cannot_represent_falls_back_to_joblib_and_says_why(bench: Bench) -> None:
    _, evaluation = bench.deliver(
        rows("regression"),
        Train(estimator="sklearn.isotonic.IsotonicRegression", preprocessing=f"{__name__}:first_only"),
    )
    folder = bench.bundle(evaluation)
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["runtime"] == "joblib"
    assert metadata["runtime_reason"]
    assert not (folder / "model.onnx").exists()
    Model.load(open_bundle(folder, evaluation["digest"])).warm_up()


def first_only(schema: Any) -> Any:
    """A preprocessing of the user's own."""
    from sklearn.compose import ColumnTransformer

    return ColumnTransformer([("b", "passthrough", ["b"])])


def test_the_same_inputs_are_trained_once_and_others_anew(bench: Bench) -> None:
    section = Train(estimator="sklearn.linear_model.LogisticRegression")
    first, evaluation = bench.deliver(rows("binary"), section)
    again, evaluated = bench.deliver(rows("binary"), section)
    assert (first["changed"], again["changed"]) == (True, False)
    assert (evaluation["changed"], evaluated["changed"]) == (True, False)
    assert evaluated["digest"] == evaluation["digest"]
    assert again["summary"].startswith("already trained and evaluated")
    other, _ = bench.deliver(rows("binary"), section.model_copy(update={"seed": 1}))
    assert other["model_id"] != first["model_id"]


def test_the_bundle_holds_no_holdout_rows_but_the_golden_ones(bench: Bench) -> None:
    _, evaluation = bench.deliver(rows("binary"), Train(estimator="sklearn.linear_model.LogisticRegression"))
    folder = bench.bundle(evaluation)
    assert {path.name for path in folder.iterdir()} == {
        "golden.json",
        "manifest.json",
        "metadata.json",
        "model.joblib",
        "model.onnx",
        "report.html",
    }
    report = (folder / "report.html").read_text()
    assert report.count("<!-- slipway:decision -->") == 1
    assert "http://" not in report.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    ("kind", "estimator", "titles"),
    [
        (
            "binary",
            "sklearn.linear_model.LogisticRegression",
            ["Confusion matrix", "ROC curve", "Precision and recall"],
        ),
        ("three", "sklearn.svm.SVC", ["Confusion matrix"]),
        ("regression", "sklearn.linear_model.Ridge", ["Predicted against actual", "Residuals"]),
    ],
)
def test_the_report_shows_what_was_measured_on_what_and_why_this_runtime_serves(
    bench: Bench, kind: str, estimator: str, titles: list[str]
) -> None:
    frame = rows(kind).rename(columns={"b": "<b> & co"})
    fit, evaluation = bench.deliver(frame, Train(estimator=estimator))
    folder = bench.bundle(evaluation)
    page, metadata = (folder / "report.html").read_text(), json.loads((folder / "metadata.json").read_text())
    for title in [*titles, "Feature importance", "Metrics", "The data", "How it was made"]:
        assert f">{title}</h" in page, title
    for metric in evaluation["metrics"]:
        interval = metadata["metrics"][metric]
        assert interval["low"] <= interval["value"] <= interval["high"]
    assert "95 % interval" in page
    assert metadata["runtime_reason"] in unescape(page)
    assert fit["model_id"] in page
    assert "&lt;b&gt; &amp; co" in page
    assert "<b> & co" not in page
    assert not re.search(r"<script|<link|src=|url\((?!#)", page)


def test_metrics_are_scikit_learn_s(bench: Bench) -> None:
    _, evaluation = bench.deliver(rows("binary", 600), Train(estimator="sklearn.linear_model.LogisticRegression"))
    with np.load(bench.folder / "store" / "evaluations" / evaluation["model_id"] / "holdout.npz") as held:
        target = held["target"]
    with np.load(bench.folder / "store" / "evaluations" / evaluation["model_id"] / "scores.npz") as scores:
        arrays = {name: scores[name] for name in scores.files}
    [predicted] = [array for array in arrays.values() if array.ndim == 1 and np.issubdtype(array.dtype, np.integer)]
    [chances] = [array for array in arrays.values() if array.ndim == 2]
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(target, predicted),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(target, predicted),
        "f1_macro": sklearn.metrics.f1_score(target, predicted, average="macro"),
        "roc_auc": sklearn.metrics.roc_auc_score(target, chances[:, 1]),
        "pr_auc": sklearn.metrics.average_precision_score(target, chances[:, 1]),
        "log_loss": sklearn.metrics.log_loss(target, chances),
        "brier": sklearn.metrics.brier_score_loss(target, chances[:, 1]),
    }
    assert evaluation["metrics"] == pytest.approx(expected, rel=1e-4)


def test_candidate_and_champion_are_measured_on_the_same_rows(bench: Bench) -> None:
    """A good champion against a candidate that saw nothing of use, and the other way round."""
    good = Train(estimator="sklearn.ensemble.RandomForestClassifier", params={"n_estimators": 30})
    poor = Train(estimator="sklearn.dummy.DummyClassifier", params={"strategy": "prior"})
    _, strong = bench.deliver(rows("binary", 800), good)
    _, weak = bench.deliver(rows("binary", 800), poor)
    gate = Gate(metric="roc_auc")
    worse = against(bench, gate, weak, strong)
    better = against(bench, gate, strong, weak)
    assert worse.difference is not None
    assert better.difference is not None
    assert worse.difference.high < 0 < better.difference.low
    assert worse.champion_score is not None
    assert worse.champion_score.value > 0.9
    assert worse.rows == better.rows == 160
    alone = compare(gate, strong["model_id"], strong["digest"], None, bench.store, bench.new_folder())
    assert (alone.difference, alone.champion) == (None, None)
    itself = against(bench, gate, strong, strong)
    assert itself.difference is None
    assert itself.champion is not None


def test_for_an_error_a_positive_difference_still_means_better(bench: Bench) -> None:
    _, strong = bench.deliver(rows("regression"), Train(estimator="sklearn.ensemble.RandomForestRegressor"))
    _, weak = bench.deliver(rows("regression"), Train(estimator="sklearn.dummy.DummyRegressor"))
    comparison = against(bench, Gate(metric="rmse"), strong, weak)
    assert comparison.difference is not None
    assert comparison.difference.low > 0
    assert not comparison.higher_is_better


def test_a_champion_of_other_classes_cannot_be_compared(bench: Bench) -> None:
    section = Train(estimator="sklearn.linear_model.LogisticRegression", params={"max_iter": 500})
    _, champion = bench.deliver(rows("three"), section)
    _, candidate = bench.deliver(rows("binary"), section)
    comparison = against(bench, Gate(), candidate, champion)
    assert comparison.difference is None
    assert comparison.obstacle


def against(bench: Bench, gate: Gate, candidate: dict[str, Any], champion: dict[str, Any]) -> Comparison:
    who = Champion(release=1, model_id=champion["model_id"], partition="p")
    found = (who, champion["digest"])
    return compare(gate, candidate["model_id"], candidate["digest"], found, bench.store, bench.new_folder())


@pytest.mark.parametrize(
    ("section", "gate", "expected"),
    [
        ({"estimator": "sklearn.nothing.X"}, {}, "train.estimator"),
        ({"estimator": "sklearn.linear_model.Logistic"}, {}, "Logistic"),
        ({"estimator": "sklearn.linear_model.Ridge", "params": {"alhpa": 1}}, {}, "allowed: alpha"),
        ({"estimator": "sklearn.pipeline:make_union"}, {}, "not an estimator"),
        ({"estimator": "sklearn.linear_model.LogisticRegression"}, {"metric": "rmse"}, "accuracy"),
        ({"estimator": "sklearn.svm.LinearSVC"}, {"metric": "roc_auc"}, "it needs probabilities"),
    ],
)
def test_what_cannot_work_is_said_before_any_work(
    bench: Bench, section: dict[str, Any], gate: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bench.deliver(rows("binary"), Train(**section), Gate(**gate))
    assert expected in str(caught.value)
    assert not [key for key in bench.store.keys("") if key.startswith("models/")]


def test_a_class_with_a_single_row_cannot_be_split(bench: Bench) -> None:
    frame = rows("binary")
    frame.loc[0, "y"] = "maybe"
    with pytest.raises(RejectedError, match=r"a class has a single row: .*maybe"):
        bench.deliver(frame, Train(estimator="sklearn.linear_model.LogisticRegression"))


def trained(bench: Bench) -> tuple[TrainingJob, dict[str, Any]]:
    """A job after its first stage, and what that returned."""
    section = Train(estimator="sklearn.linear_model.LogisticRegression")
    job = TrainingJob("m", bench.ingest(rows("binary")), MIXED, section)
    return job, train(job, bench.store, bench.new_folder())


def test_a_file_that_changed_after_training_is_not_unpickled(bench: Bench) -> None:
    job, fit = trained(bench)
    marker = bench.folder / "was-unpickled"
    bench.store.write(f"{fit['key']}model.joblib", f"cos\nsystem\n(S'touch {marker}'\ntR.".encode())
    with pytest.raises(RejectedError, match=r"model\.joblib: .*SHA-256"):
        evaluate(job, fit, bench.store, bench.new_folder())
    assert not marker.exists()
    assert not bench.store.exists(f"{fit['key']}manifest.json")


def test_rows_that_changed_after_training_are_not_measured(bench: Bench) -> None:
    job, fit = trained(bench)
    key = f"evaluations/{fit['model_id']}/holdout.npz"
    bench.store.write(key, bench.store.read(key) + b"\0")
    with pytest.raises(RejectedError, match=r"holdout\.npz: .*SHA-256"):
        evaluate(job, fit, bench.store, bench.new_folder())
    assert not bench.store.exists(f"{fit['key']}manifest.json")


def test_answers_that_another_run_wrote_since_are_found_anew(bench: Bench) -> None:
    job, fit = trained(bench)
    key = f"evaluations/{fit['model_id']}/scores.npz"
    own = bench.store.read(key)
    bench.store.write(key, own + b"\0")
    assert evaluate(job, fit, bench.store, bench.new_folder())["changed"]
    assert bench.store.read(key) == own
