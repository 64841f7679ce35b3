"""The three bundles, made by the project's own code, and the requests' rows with the answers they must get.

The rows are the data set's own. Rows that the model is undecided about are left out: float32 and float64 may break a tie
either way, and a server is not wrong for that.
"""

from __future__ import annotations

import copy
import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.serving.plan import LARGE

DECIDED = 0.02  # least distance between the two highest probabilities
FLIGHTS = 40_000


@dataclass(frozen=True)
class ServedModel:
    """A bundle, and what it is asked.

    Attributes:
        digest: of the bundle, as its server is told it.
        given: the folder that the peers are given: model.joblib, model.onnx, given.json.
        numeric: of each feature, whether it is a number.
        classes: the label of each code.
        rows: 10,000 rows, each a list of values in the order of `names`.
        labels: what each must be answered with.
    """

    name: str
    bundle: Path
    digest: str
    given: Path
    names: list[str]
    numeric: list[bool]
    classes: list[Any]
    rows: list[list[Any]]
    labels: list[Any]


def make_model(name: str, folder: Path) -> ServedModel:
    """Train the model, unless the folder holds the bundle that training would make."""
    frame, dataset, train = SOURCES[name]()
    folder.mkdir(parents=True, exist_ok=True)
    bundle, digest = _deliver(name, folder, frame, dataset, train)
    metadata = json.loads((bundle / "metadata.json").read_text())
    given = folder / "given"
    pipeline = _give(bundle, metadata, given)
    names = [feature["name"] for feature in metadata["features"]]
    rows, codes = _rows(frame[names], pipeline)
    numeric = [feature["type"] != "category" for feature in metadata["features"]]
    classes = metadata["classes"]
    return ServedModel(name, bundle, digest, given, names, numeric, classes, rows, [classes[code] for code in codes])


def _deliver(name: str, folder: Path, frame: Any, dataset: dict[str, Any], train: dict[str, Any]) -> tuple[Path, str]:
    """Dataset, training and evaluation, as the chain's tasks do them; each finds what is done already."""
    from slipway.core.model_file import Dataset, Train
    from slipway.dataset.ingestion import ingest
    from slipway.storage.object_store import open_store
    from slipway.training.evaluation import evaluate
    from slipway.training.job import TrainingJob
    from slipway.training.training import train as fit

    logging.getLogger("slipway").setLevel(logging.WARNING)
    frame.to_csv(folder / "data.csv", index=False)
    section, store = Dataset(uri="data.csv", **dataset), open_store(str(folder / "store"))
    with tempfile.TemporaryDirectory(dir=folder) as work:
        parts = [Path(work) / part for part in ("dataset", "train", "evaluate")]
        for part in parts:
            part.mkdir()
        source = str(folder / "data.csv")
        stored = ingest(source, None, section, store, champion_schema=None, champion_label="", work_dir=parts[0])
        job = TrainingJob(name, stored, section, Train(**train))
        evaluated = evaluate(job, fit(job, store, parts[1]), store, parts[2])
    return folder / "store" / evaluated["key"], evaluated["digest"]


def _give(bundle: Path, metadata: dict[str, Any], given: Path) -> Any:
    """Lay out what the peers get; returns the bundle's own pipeline."""
    import joblib

    pipeline = joblib.load(bundle / "model.joblib")
    numeric = [feature["type"] != "category" for feature in metadata["features"]]
    shutil.rmtree(given, ignore_errors=True)
    given.mkdir()
    joblib.dump(_for_arrays(pipeline) if all(numeric) else pipeline, given / "model.joblib")
    shutil.copy(bundle / "model.onnx", given)
    names = [feature["name"] for feature in metadata["features"]]
    facts = {"names": names, "numeric": numeric, "classes": metadata["classes"], "wants_frame": not all(numeric)}
    (given / "given.json").write_text(json.dumps(facts))
    return pipeline


def _for_arrays(pipeline: Any) -> Any:
    """The same fitted steps, without the selection of columns by name.

    For one row the data frame and the selection cost more than the model. Who trains on numbers alone would serve arrays,
    so the peers are given that.
    """
    from sklearn.pipeline import make_pipeline

    ((_, step, _),) = pipeline[0].transformers_
    if step == "passthrough" or not hasattr(step, "transform"):
        return pipeline[-1]
    step = copy.deepcopy(step)
    for part in [step, *(part for _, part in getattr(step, "steps", []))]:
        vars(part).pop("feature_names_in_", None)
    return make_pipeline(step, pipeline[-1])


def _rows(frame: Any, pipeline: Any) -> tuple[list[list[Any]], list[int]]:
    import numpy as np

    chances = np.sort(pipeline.predict_proba(frame), axis=1)
    decided = np.flatnonzero(chances[:, -1] - chances[:, -2] > DECIDED)
    chosen = frame.iloc[np.random.default_rng(0).choice(decided, LARGE)]
    columns = [chosen[name].tolist() for name in chosen.columns]
    return [list(row) for row in zip(*columns, strict=True)], pipeline.predict(chosen).tolist()


def _iris() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    from sklearn.datasets import load_iris

    data = load_iris(as_frame=True)
    frame = data.frame.set_axis(["sepal_length", "sepal_width", "petal_length", "petal_width", "species"], axis=1)
    frame["species"] = data.target_names[data.target]
    train = {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"max_iter": 1000}}
    return frame, {"target": "species"}, train


def _forest() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer(as_frame=True)
    frame = data.frame.rename(columns=lambda name: name.replace(" ", "_"))
    frame["target"] = data.target_names[data.target]
    train = {"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 100}}
    return frame, {"target": "target"}, train


def _boosting() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    from slipway.local.flights import FEATURES, prepared, read

    frame = prepared(read())[[*FEATURES, "late"]].head(FLIGHTS)
    train = {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier", "params": {"max_iter": 100}}
    return frame, {"target": "late", "drop": ["flight", "tailnum"]}, train


SOURCES: dict[str, Callable[[], tuple[Any, dict[str, Any], dict[str, Any]]]] = {
    "iris": _iris,
    "forest": _forest,
    "boosting": _boosting,
}
