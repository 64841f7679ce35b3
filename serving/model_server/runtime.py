"""The two ways a bundle runs: ONNX Runtime when it has a graph, scikit-learn when it has not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np  # noqa: TID253

from model_server.bundle import Bundle
from model_server.errors import BundleError
from model_server.features import Inputs


class Runtime(Protocol):
    """Something that predicts."""

    def run(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray | None]:
        """Codes (int64, shape (N,)) and probabilities (shape (N, classes) or None); for regression values and None."""


class OnnxRuntime:
    """An ONNX graph with the inputs `numbers` and `categories`."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # One row costs microseconds; a thread pool per process would only compete with the other workers.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray | None]:
        """Run the graph on all rows."""
        feed = {"numbers": inputs.numbers, "categories": inputs.categories}
        answers = self._session.run(None, {name: array for name, array in feed.items() if array is not None})
        found = dict(zip(self._outputs, answers, strict=True))
        if "prediction" in found:
            return found["prediction"].reshape(-1), None
        return found["label"], found.get("probabilities")


class JoblibRuntime:
    """The fitted scikit-learn pipeline, for what ONNX cannot represent."""

    def __init__(self, bundle: Bundle) -> None:
        _require_same_versions(bundle.metadata["versions"])
        import joblib

        self._pipeline = joblib.load(
            bundle.folder / "model.joblib"
        )  # its digest was checked when the bundle was opened
        features = bundle.metadata["features"]
        self._names = [feature["name"] for feature in features]
        self._is_numeric = [feature["type"] != "category" for feature in features]
        self._classifies = bundle.metadata["task"] == "classification"

    def run(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray | None]:
        """Predict with the pipeline, on a data frame like the one it was fitted on."""
        frame = self._frame(inputs)
        codes = np.asarray(self._pipeline.predict(frame)).reshape(inputs.rows)
        can = self._classifies and hasattr(self._pipeline, "predict_proba")
        return codes, self._pipeline.predict_proba(frame) if can else None

    def _frame(self, inputs: Inputs) -> Any:
        import pandas as pd

        numbers = iter(inputs.numbers.T.astype(np.float64)) if inputs.numbers is not None else iter(())
        categories = iter(inputs.categories.T) if inputs.categories is not None else iter(())
        columns = {
            name: next(numbers) if numeric else pd.Series(next(categories), dtype=object)
            for name, numeric in zip(self._names, self._is_numeric, strict=True)
        }
        return pd.DataFrame(columns)


def load_runtime(bundle: Bundle) -> Runtime:
    """The runtime that the bundle was made for."""
    if bundle.metadata["runtime"] == "onnx":
        return OnnxRuntime(bundle.folder / "model.onnx")
    return JoblibRuntime(bundle)


def _require_same_versions(trained: dict[str, str]) -> None:
    """A pickle is only safe to use with the library that wrote it."""
    from importlib.metadata import version

    for package in ("scikit-learn",):
        if (here := version(package)) != trained[package]:
            raise BundleError(
                f"trained with {package} {trained[package]}, here is {here}: pip install {package}=={trained[package]}"
            )
