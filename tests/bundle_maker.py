"""A small bundle written by hand, by the contract and without our training code: what both sides of it are tested with."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

CLASSES = ["setosa", "versicolor", "virginica"]


@cache
def _fitted() -> tuple[Any, Any, bytes]:
    import joblib  # noqa: F401
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    rows, codes = load_iris(return_X_y=True)
    pipeline = Pipeline([("model", LogisticRegression(max_iter=500))]).fit(rows.astype("float32"), codes)
    graph = convert_sklearn(
        pipeline, initial_types=[("numbers", FloatTensorType([None, 4]))], options={"zipmap": False}, target_opset=18
    )
    return pipeline, rows.astype("float32"), graph.SerializeToString()


def make_bundle(folder: Path, *, name: str = "one", runtime: str = "onnx") -> str:
    """Write a bundle into `folder`; `name` makes its digest another one. Returns the digest."""
    import joblib

    pipeline, rows, graph = _fitted()
    folder.mkdir(parents=True)
    picked = rows[::10]
    chances = pipeline.predict_proba(picked)
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    feature = {"type": "number", "nullable": False, "minimum": 0.0, "maximum": None, "categories": None}
    metadata = {
        "schema_version": 1,
        "model": "iris",
        "model_id": hashlib.sha256(name.encode()).hexdigest(),
        "dataset_id": "d",
        "task": "classification",
        "target": "species",
        "features": [{"name": each, **feature} for each in names],
        "classes": CLASSES,
        "runtime": runtime,
        "runtime_reason": "made by hand",
        "metrics": {},
        "versions": {"scikit-learn": __import__("sklearn").__version__},
        "created": "2026-01-01T00:00:00+00:00",
    }
    golden = {
        "features": names,
        "rows": [[float(value) for value in row] for row in picked],
        "predictions": [CLASSES[code] for code in pipeline.predict(picked)],
        "probabilities": [[float(value) for value in row] for row in chances],
        "absolute_tolerance": 1e-5,
        "relative_tolerance": 1e-4,
    }
    (folder / "metadata.json").write_text(json.dumps(metadata))
    (folder / "golden.json").write_text(json.dumps(golden))
    (folder / "report.html").write_text("<!-- slipway:decision -->")
    joblib.dump(pipeline, folder / "model.joblib")
    if runtime == "onnx":
        (folder / "model.onnx").write_bytes(graph)
    return write_manifest(folder)


def write_manifest(folder: Path) -> str:
    """List what is in `folder`; returns the bundle's digest."""
    files = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size_bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
        if path.name != "manifest.json"
    }
    data = json.dumps({"files": files}, indent=2, sort_keys=True).encode() + b"\n"
    (folder / "manifest.json").write_bytes(data)
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
