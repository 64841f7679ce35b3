"""The two ways a bundle runs: ONNX Runtime when it has a graph, scikit-learn when it has not."""

from __future__ import annotations

import io
from typing import Any, NamedTuple, Protocol

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253

from model_server.bundle import Bundle
from model_server.errors import BundleError
from model_server.schema import Inputs

Array = npt.NDArray[Any]


class Outputs(NamedTuple):
    """What a model gives for N rows.

    Attributes:
        predicted: class codes, int64 (N,); for regression values, float (N,).
        probabilities: float (N, classes), if they were asked for and the model has them.
    """

    predicted: Array
    probabilities: Array | None


class Runtime(Protocol):
    """Something that predicts."""

    has_probabilities: bool
    is_quick: bool

    def run(self, inputs: Inputs, *, probabilities: bool) -> Outputs:
        """Predict all rows."""


class OnnxRuntime:
    """An ONNX graph with the inputs `numbers` and `categories`."""

    is_quick = True

    def __init__(self, graph: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # One row costs microseconds; a thread pool per process would only compete with the other workers.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a dozen kinds, none of them a common one
            raise BundleError(f"model.onnx: ONNX Runtime cannot load it ({_first_line(error)}); train again") from error
        names = [output.name for output in session.get_outputs()]
        self._run = session.run
        self._inputs = [node.name for node in session.get_inputs()]
        self.has_probabilities = "probabilities" in names
        self._predicted = [next(name for name in names if name != "probabilities")]
        self._both = [*self._predicted, "probabilities"]

    def run(self, inputs: Inputs, *, probabilities: bool) -> Outputs:
        """Run the graph on all rows."""
        feed = {name: getattr(inputs, name) for name in self._inputs}
        chances = None
        if probabilities and self.has_probabilities:
            predicted, chances = self._run(self._both, feed)
        else:
            predicted = self._run(self._predicted, feed)[0]
        # Some converters give a column.
        return Outputs(predicted.reshape(-1) if predicted.ndim > 1 else predicted, chances)


class JoblibRuntime:
    """The fitted scikit-learn pipeline, for what ONNX cannot represent."""

    is_quick = False

    def __init__(self, bundle: Bundle) -> None:
        _require_same_versions(bundle.metadata["versions"])
        import joblib

        self._pipeline = joblib.load(io.BytesIO(bundle.model))  # bytes whose digest was checked
        features = bundle.metadata["features"]
        self._names = [feature["name"] for feature in features]
        self._is_numeric = [feature["type"] != "category" for feature in features]
        classifies = bundle.metadata["task"] == "classification"
        self.has_probabilities = classifies and hasattr(self._pipeline, "predict_proba")

    def run(self, inputs: Inputs, *, probabilities: bool) -> Outputs:
        """Predict with the pipeline, on a data frame like the one it was fitted on."""
        frame = self._frame(inputs)
        predicted = np.asarray(self._pipeline.predict(frame)).reshape(inputs.rows)
        chances = self._pipeline.predict_proba(frame) if probabilities and self.has_probabilities else None
        return Outputs(predicted, chances)

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
    """The runtime that the bundle was made for.

    Raises:
        BundleError: it cannot be loaded, or was made with another scikit-learn.
    """
    return OnnxRuntime(bundle.model) if bundle.metadata["runtime"] == "onnx" else JoblibRuntime(bundle)


def _require_same_versions(trained: dict[str, str]) -> None:
    """A pickle is only safe to use with the library that wrote it."""
    from importlib.metadata import PackageNotFoundError, version

    for package in ("scikit-learn",):
        try:
            here = version(package)
        except PackageNotFoundError:
            here = "none"
        if here != trained.get(package):
            raise BundleError(
                f"trained with {package} {trained.get(package)}, here is {here}: "
                f"pip install {package}=={trained.get(package)}"
            )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
