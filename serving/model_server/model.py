"""The model as the protocols see it: inputs in, answers out, and a warm-up that proves it is the one that was trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253

from model_server.batching import BatchingRuntime
from model_server.bundle import Bundle
from model_server.errors import BundleError, NotReadyError, RequestError, SchemaError
from model_server.labels import Labels
from model_server.runtime import Outputs, Runtime, load_runtime
from model_server.schema import FeatureSchema, Inputs

Array = npt.NDArray[Any]


class Model:
    """One loaded bundle.

    Attributes:
        bundle: what it was loaded from.
        schema: its features.
        labels: its classes.
        ready: whether it has answered its golden rows.
        observe: called with the predictions of every request that was answered.
    """

    def __init__(self, bundle: Bundle, runtime: Runtime) -> None:
        self.bundle, self._runtime = bundle, runtime
        self.schema = FeatureSchema(bundle.metadata["features"])
        self.labels = Labels(bundle.metadata["classes"])
        self.ready = False
        self.observe: Callable[[Array], None] = lambda _predicted: None

    @classmethod
    def load(cls, bundle: Bundle) -> Model:
        """Load the bundle's runtime; the model is not ready before `warm_up`."""
        runtime = load_runtime(bundle)
        return cls(bundle, runtime if runtime.is_quick else BatchingRuntime(runtime))

    @property
    def name(self) -> str:
        """As in the model file."""
        return str(self.bundle.metadata["model"])

    @property
    def version(self) -> str:
        """The model id, short."""
        return str(self.bundle.metadata["model_id"])[:12]

    @property
    def has_probabilities(self) -> bool:
        """Whether it can say how sure it is."""
        return self._runtime.has_probabilities

    @property
    def is_quick(self) -> bool:
        """Whether a few rows take microseconds."""
        return self._runtime.is_quick

    def predict(self, inputs: Inputs, *, probabilities: bool = False) -> Outputs:
        """Predict checked inputs.

        Raises:
            NotReadyError: the golden rows have not been answered yet.
            RequestError: probabilities of a model that has none.
            SchemaError: the model's own arithmetic overflows on a row.
        """
        if not self.ready:
            raise NotReadyError("the model is not ready yet; try again in a moment")
        if probabilities and not self.has_probabilities:
            raise RequestError("this model gives no probabilities; ask without them")
        outputs = self._runtime.run(inputs, probabilities=probabilities)
        if probabilities or self.labels.classes is None:
            _require_finite(outputs)
        self.observe(outputs.predicted)
        return outputs

    def warm_up(self) -> None:
        """Replay the golden rows; the model is ready when every answer is what training made.

        Raises:
            BundleError: an answer differs; names the row.
        """
        golden = self.bundle.golden
        try:
            inputs = self.schema.inputs([list(row) for row in golden["rows"]])
            outputs = self._runtime.run(inputs, probabilities=golden["probabilities"] is not None)
        except RequestError as error:
            raise BundleError(f"the golden rows break the feature schema ({error}); train the model again") from error
        found = self.labels.values(outputs.predicted)
        for number, (got, expected) in enumerate(zip(found, golden["predictions"], strict=True), start=1):
            if not _same(got, expected, golden):
                raise BundleError(f"golden row {number}: predicted {got!r}, training predicted {expected!r}")
        self._compare_probabilities(outputs.probabilities, golden)
        self.ready = True

    def _compare_probabilities(self, found: Array | None, golden: dict[str, Any]) -> None:
        if golden["probabilities"] is None:
            return
        if found is None:
            raise BundleError("training had probabilities for the golden rows, this model gives none")
        expected = np.array(golden["probabilities"])
        close = np.isclose(found, expected, rtol=golden["relative_tolerance"], atol=golden["absolute_tolerance"])
        if not close.all():
            row = int(np.argwhere(~close)[0][0])
            raise BundleError(f"golden row {row + 1}: probabilities {found[row]}, training had {expected[row]}")


def _require_finite(outputs: Outputs) -> None:
    """JSON has no NaN, and an answer that is none is the fault of values that no model was trained on: say so."""
    answers = outputs.predicted if outputs.probabilities is None else outputs.probabilities
    finite = np.isfinite(answers)
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise SchemaError(f"row {row + 1}: the model gives no finite answer for these values")


def _same(found: Any, expected: Any, golden: dict[str, Any]) -> bool:
    if isinstance(expected, float) and not isinstance(found, bool | str):
        tolerance = golden["absolute_tolerance"] + golden["relative_tolerance"] * abs(expected)
        return bool(abs(float(found) - expected) <= tolerance)
    return bool(found == expected)
