"""A model's answers in the dataset's own terms: class labels instead of codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253
import orjson

Array = npt.NDArray[Any]
Label = str | int | float | bool


class Labels:
    """The classes in the order of their codes; None for regression, whose predictions are numbers already.

    Attributes:
        names: the classes as text, as they name probabilities.
        dictionary: a place for another form of the classes, which is made when it is first needed.
    """

    def __init__(self, classes: Sequence[Label] | None) -> None:
        self.classes = classes
        self.names = [name if isinstance(name, str) else str(name).lower() for name in classes or ()]
        self.dictionary: Any = None  # the classes as Arrow has them, once somebody asked for that
        self._json = np.array([orjson.dumps(label) for label in classes or ()], dtype=object)

    def one_json(self, predicted: Array) -> bytes:
        """The first prediction as JSON."""
        if self.classes is None:
            return orjson.dumps(predicted[0], option=orjson.OPT_SERIALIZE_NUMPY)
        return self._json[predicted[0]]  # type: ignore[no-any-return]

    def each_json(self, predicted: Array) -> list[bytes]:
        """Each prediction as JSON."""
        if self.classes is None:
            return [orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY) for value in predicted]
        return self._json[predicted].tolist()  # type: ignore[no-any-return]

    def all_json(self, predicted: Array) -> bytes:
        """All predictions as a JSON list."""
        if self.classes is None:
            return orjson.dumps(np.ascontiguousarray(predicted), option=orjson.OPT_SERIALIZE_NUMPY)
        return b"[%b]" % b",".join(self._json[predicted].tolist())

    def values(self, predicted: Array) -> list[Label]:
        """All predictions as Python values."""
        if self.classes is None:
            return predicted.tolist()  # type: ignore[no-any-return]
        return [self.classes[code] for code in predicted.tolist()]

    def by_name(self, probabilities: Array) -> list[dict[str, float]]:
        """The probability of each class by its name, one dict a row."""
        return [dict(zip(self.names, row, strict=True)) for row in probabilities.tolist()]
