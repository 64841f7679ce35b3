"""The feature schema: from rows of values to the model's input arrays, every value checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np  # noqa: TID253  every request needs it
import numpy.typing as npt  # noqa: TID253

from model_server.errors import MalformedError, SchemaError

Array = npt.NDArray[Any]
Feature = dict[str, Any]
Row = list[Any]

FLOAT32_MAX = float(np.finfo(np.float32).max)
_PLAIN_NUMBERS = frozenset({int, float})
_NESTED = frozenset({list, dict})


@dataclass(slots=True)
class Inputs:
    """The model's inputs for `rows` rows; one that the model does not have is None.

    Attributes:
        numbers: float32, shape (rows, numeric features), NaN for null.
        categories: str objects, shape (rows, category features), "" for null.
    """

    numbers: Array | None
    categories: Array | None
    rows: int


class FeatureSchema:
    """The features, in the order of a positional row.

    Attributes:
        numeric: places of the numeric features in a row.
        text: places of the categories.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self.features = list(features)
        self.names: list[str] = [feature["name"] for feature in features]
        self.numeric = [place for place, feature in enumerate(features) if feature["type"] != "category"]
        self.text = [place for place, feature in enumerate(features) if feature["type"] == "category"]
        self._types = [_json_types(feature) for feature in features]
        self._plain = not self.text and all(feature["type"] != "boolean" for feature in features)
        self._allowed = {place: _categories(features[place]) for place in self.text}
        numbers = [features[place] for place in self.numeric]
        self._low = np.array([_bound(feature, "minimum", -FLOAT32_MAX) for feature in numbers])
        self._high = np.array([_bound(feature, "maximum", FLOAT32_MAX) for feature in numbers])
        self._bounded = bool((self._low > -FLOAT32_MAX).any() or (self._high < FLOAT32_MAX).any())
        self._nullable = np.array([feature["nullable"] for feature in numbers], dtype=bool)
        self._whole = [place for place, feature in enumerate(numbers) if feature["type"] in {"integer", "boolean"}]

    def rows_of(self, features: Any, key: str = "features") -> tuple[list[Row], bool]:
        """Positional rows from any accepted form: a row, a list of rows, named features, a list of named rows.

        Args:
            features: what the request holds.
            key: under which name, for the error's text.

        Returns:
            The rows, and whether the request held a single one.

        Raises:
            MalformedError: another shape.
            SchemaError: a row of the wrong length, or with unknown or missing names.
        """
        width = len(self.names)
        if type(features) is list and len(features) == width and _NESTED.isdisjoint(map(type, features)):
            return [features], True
        single = isinstance(features, dict) or (
            isinstance(features, list) and not any(isinstance(item, list | dict) for item in features)
        )
        rows = [features] if single else features
        if not isinstance(rows, list) or not rows or rows == [[]]:
            raise MalformedError(f'"{key}" must be a row, a list of rows, or the same with named features')
        if all(type(row) is list and len(row) == width for row in rows):
            return rows, single
        return [self._positional(row, number) for number, row in enumerate(rows, start=1)], single

    def inputs(self, rows: list[Row]) -> Inputs:
        """Check positional rows of JSON values and lay them out for the model.

        Raises:
            SchemaError: names row, feature, what was found and what is allowed.
        """
        columns, whole = None, False
        if not (self._plain and _PLAIN_NUMBERS.issuperset(map(type, chain.from_iterable(rows)))):
            columns = list(zip(*rows, strict=True))
            found = [set(map(type, column)) for column in columns]
            if not all(kinds >= kind for kinds, kind in zip(self._types, found, strict=True)):
                raise self._fault(rows)
            whole = all(float not in found[self.numeric[place]] for place in self._whole)
        try:
            numbers = self._numbers(rows, columns)
            return self.checked(numbers, self._categories(columns, len(rows)), len(rows), whole=whole)
        except (SchemaError, OverflowError):
            raise self._fault(rows) from None

    def checked(self, numbers: Array | None, categories: Array | None, rows: int, *, whole: bool = False) -> Inputs:
        """Check arrays against the schema.

        Args:
            numbers: float, shape (rows, numeric features), NaN for null.
            categories: str objects, shape (rows, category features), "" for null.
            rows: how many.
            whole: whether what must be a whole number is known to be one.

        Raises:
            SchemaError: names the first row and feature that is wrong.
        """
        if numbers is not None:
            if not self._are_surely_good(numbers, whole=whole):
                self._check_numbers(numbers)
            numbers = np.ascontiguousarray(numbers, dtype=np.float32)
        if categories is not None:
            self._check_categories(categories)
        return Inputs(numbers, categories, rows)

    def _numbers(self, rows: list[Row], columns: list[tuple[Any, ...]] | None) -> Array | None:
        if columns is None:
            return np.array(rows, dtype=np.float64)
        if not self.numeric:
            return None
        # None becomes NaN here, as in training.
        return np.array([columns[place] for place in self.numeric], dtype=np.float64).T

    def _categories(self, columns: list[tuple[Any, ...]] | None, rows: int) -> Array | None:
        if columns is None or not self.text:
            return None
        table = np.empty((rows, len(self.text)), dtype=object)
        for target, place in enumerate(self.text):
            column = columns[place]
            table[:, target] = ["" if value is None else value for value in column] if None in column else column
        return table

    def _check_numbers(self, numbers: Array) -> None:
        good = (numbers >= self._low) & (numbers <= self._high)
        good |= np.isnan(numbers) & self._nullable
        if self._whole:
            some = numbers[:, self._whole]
            good[:, self._whole] &= (some == np.rint(some)) | np.isnan(some)
        if not good.all():
            row, place = (int(index) for index in np.argwhere(~good)[0])
            feature, value = self.features[self.numeric[place]], float(numbers[row, place])
            raise _fault(row + 1, feature, None if math.isnan(value) else value)

    def _are_surely_good(self, numbers: Array, *, whole: bool) -> bool:
        """A quick yes, which is what nearly every request gets; a no only means to look closer."""
        if self._whole and not whole:
            return False
        if self._bounded:
            return bool(((numbers >= self._low) & (numbers <= self._high)).all())
        flat = numbers.ravel(order="K")  # a finite sum of squares has no NaN in it, and nothing beyond float32
        return bool(flat.dot(flat) < FLOAT32_MAX)

    def _check_categories(self, categories: Array) -> None:
        for target, place in enumerate(self.text):
            allowed = self._allowed[place]
            column = categories[:, target].tolist()  # NumPy compares objects one by one, and slower than a list does
            if allowed is not None and not allowed.issuperset(column):
                row = next(row for row, value in enumerate(column) if value not in allowed)
                raise _fault(row + 1, self.features[place], column[row] or None)
            if allowed is None and not self.features[place]["nullable"] and "" in column:
                raise _fault(column.index("") + 1, self.features[place], None)

    def _positional(self, row: Any, number: int) -> Row:
        if isinstance(row, dict):
            return self._by_name(row, number)
        if not isinstance(row, list):
            raise MalformedError(f"row {number}: found {_shown(row)}, allowed: a list of values, or an object by name")
        if len(row) != len(self.names):
            raise SchemaError(f"row {number}: {len(row)} values for {len(self.names)} features: {_listed(self.names)}")
        return row

    def _by_name(self, row: dict[str, Any], number: int) -> Row:
        if unknown := [name for name in row if name not in self.names]:
            raise SchemaError(f"row {number}: unknown feature {_shown(unknown[0])}; known are {_listed(self.names)}")
        missing = [f["name"] for f in self.features if f["name"] not in row and not f["nullable"]]
        if missing:
            raise SchemaError(f"row {number}: feature {missing[0]!r} is missing and may not be null")
        return [row.get(name) for name in self.names]

    def _fault(self, rows: list[Row]) -> SchemaError:
        """The first wrong value, found the slow way: what is wrong was noticed on whole columns."""
        for number, row in enumerate(rows, start=1):
            for feature, value in zip(self.features, row, strict=True):
                if not _is_allowed(feature, value):
                    return _fault(number, feature, value)
        raise AssertionError("a value was refused that is allowed")


def stacked(columns: Iterable[Array], width: int, rows: int, kind: Any) -> Array | None:
    """`width` columns as one array of `kind`, (rows, width), each in one piece of memory: so it is filled fastest.

    None without columns.
    """
    if not width:
        return None
    table = np.empty((width, rows), dtype=kind)
    for place, column in enumerate(columns):
        table[place] = column
    return table.T


def _json_types(feature: Feature) -> frozenset[type]:
    # 0.0 and 1.0 are JSON for 0 and 1: pandas writes booleans so once a column has had a null.
    kinds: dict[str, set[type]] = {"category": {str}, "boolean": {bool, int, float}}
    found = kinds.get(feature["type"], {int, float})
    return frozenset(found | {type(None)} if feature["nullable"] else found)


def _categories(feature: Feature) -> frozenset[str] | None:
    if feature.get("categories") is None:
        return None
    return frozenset(feature["categories"]) | ({""} if feature["nullable"] else set())


def _bound(feature: Feature, name: str, default: float) -> float:
    if feature["type"] == "boolean":
        return {"minimum": 0.0, "maximum": 1.0}[name]
    found = feature.get(name)
    return default if found is None else float(found)


def _fault(number: int, feature: Feature, value: Any) -> SchemaError:
    return SchemaError(f"row {number}: {feature['name']}: found {_shown(value)}, allowed: {_allowed(feature, value)}")


def _is_allowed(feature: Feature, value: Any) -> bool:
    if type(value) not in _json_types(feature):
        return False
    if value is None:
        return True
    if feature["type"] == "category":
        allowed = _categories(feature)
        return value in allowed if allowed is not None else value != "" or bool(feature["nullable"])
    low, high = _bound(feature, "minimum", -FLOAT32_MAX), _bound(feature, "maximum", FLOAT32_MAX)
    return bool(low <= value <= high and (feature["type"] == "number" or value == int(value)))


def _allowed(feature: Feature, value: Any) -> str:
    if value is None:
        return "not null"
    if feature["type"] == "category":
        return _allowed_text(feature, value)
    if feature["type"] == "boolean":
        return "true or false"
    return _allowed_number(feature, value)


def _allowed_text(feature: Feature, value: Any) -> str:
    if not isinstance(value, str):
        return "text"
    return f"one of {_listed(feature['categories'])}" if feature.get("categories") else "text that is not empty"


def _allowed_number(feature: Feature, value: Any) -> str:
    if type(value) not in _PLAIN_NUMBERS:
        return "a number"
    low, high = feature.get("minimum"), feature.get("maximum")
    if (low is not None and value < low) or (high is not None and value > high):
        return f"{low if low is not None else '-inf'} to {high if high is not None else 'inf'}"
    return "a whole number" if feature["type"] == "integer" else "a number within float32"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
