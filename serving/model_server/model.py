"""The model as the application sees it: rows in, answers out, and a warm-up that proves it is the one that was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np  # noqa: TID253

from model_server.bundle import Bundle
from model_server.errors import BundleError, MalformedError
from model_server.features import FeatureSchema
from model_server.runtime import Runtime, load_runtime


@dataclass(frozen=True)
class Answer:
    """Predictions in the dataset's own labels or numbers, and by request the probability of each class."""

    predictions: list[Any]
    probabilities: list[dict[str, float]] | None


class Model:
    """One loaded bundle."""

    def __init__(self, bundle: Bundle, runtime: Runtime) -> None:
        self.bundle, self._runtime = bundle, runtime
        self.schema = FeatureSchema(bundle.metadata["features"])
        self._classes: list[Any] | None = bundle.metadata["classes"]
        self.ready = False

    @classmethod
    def load(cls, bundle: Bundle) -> Model:
        """Load the bundle's runtime; the model is not ready before `warm_up`."""
        return cls(bundle, load_runtime(bundle))

    def predict(self, rows: list[list[Any]], *, probabilities: bool = False) -> Answer:
        """Predict positional rows.

        Raises:
            SchemaError: a value that the schema does not allow.
            MalformedError: probabilities of a model that has none.
        """
        codes, chances = self._runtime.run(self.schema.inputs(rows))
        if probabilities and chances is None:
            raise MalformedError("this model gives no probabilities; ask without ?probabilities=true")
        return Answer(self._labels(codes), self._by_class(chances) if probabilities else None)

    def warm_up(self) -> None:
        """Replay the golden rows; the model is ready when every answer is what training made.

        Raises:
            BundleError: an answer differs; names the row.
        """
        golden = self.bundle.golden
        codes, chances = self._runtime.run(self.schema.inputs(golden["rows"]))
        for number, (found, expected) in enumerate(
            zip(self._labels(codes), golden["predictions"], strict=True), start=1
        ):
            if not _same(found, expected, golden):
                raise BundleError(f"golden row {number}: predicted {found!r}, training predicted {expected!r}")
        if golden["probabilities"] is not None and chances is not None:
            self._compare(chances, golden)
        self.ready = True

    def _compare(self, chances: np.ndarray, golden: dict[str, Any]) -> None:
        expected = np.array(golden["probabilities"])
        close = np.isclose(chances, expected, rtol=golden["relative_tolerance"], atol=golden["absolute_tolerance"])
        if not close.all():
            row = int(np.argwhere(~close)[0][0])
            raise BundleError(f"golden row {row + 1}: probabilities {chances[row]}, training had {expected[row]}")

    def _labels(self, codes: np.ndarray) -> list[Any]:
        if self._classes is None:
            return [float(value) for value in codes]
        return [self._classes[code] for code in codes.tolist()]

    def _by_class(self, chances: np.ndarray | None) -> list[dict[str, float]]:
        assert chances is not None
        assert self._classes is not None
        names = [label if isinstance(label, str) else str(label).lower() for label in self._classes]
        return [dict(zip(names, row, strict=True)) for row in chances.tolist()]


def _same(found: Any, expected: Any, golden: dict[str, Any]) -> bool:
    if isinstance(expected, float) and not isinstance(found, bool | str):
        tolerance = golden["absolute_tolerance"] + golden["relative_tolerance"] * abs(expected)
        return bool(abs(float(found) - expected) <= tolerance)
    return bool(found == expected)
