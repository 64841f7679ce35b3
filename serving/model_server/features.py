"""From JSON rows to the model's input arrays, by the bundle's feature schema."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np  # noqa: TID253  every request needs it

from model_server.errors import MalformedError, SchemaError

NUMERIC = {"number", "integer", "boolean"}


@dataclass(frozen=True)
class Inputs:
    """The model's inputs for N rows; one that the model does not have is None.

    Attributes:
        numbers: float32, shape (N, numeric features), NaN for null.
        categories: str objects, shape (N, category features), "" for null.
    """

    numbers: np.ndarray | None
    categories: np.ndarray | None
    rows: int


class FeatureSchema:
    """The features, in the order of a positional row."""

    def __init__(self, features: list[dict[str, Any]]) -> None:
        self.features = features
        self.names = [feature["name"] for feature in features]
        self._numeric = [index for index, feature in enumerate(features) if feature["type"] in NUMERIC]
        self._category = [index for index, feature in enumerate(features) if feature["type"] not in NUMERIC]

    def rows_of(self, features: Any) -> tuple[list[list[Any]], bool]:
        """Positional rows from any accepted form: a row, a list of rows, named features, a list of named rows.

        Returns:
            The rows, and whether the request held a single one.

        Raises:
            MalformedError: another shape.
            SchemaError: a row of the wrong length, or with unknown or missing names.
        """
        single = isinstance(features, dict) or (
            isinstance(features, list) and not any(isinstance(item, list | dict) for item in features)
        )
        rows = [features] if single else features
        if not isinstance(rows, list) or not rows or rows == [[]]:
            raise MalformedError('"features" must be a row, a list of rows, or the same with named features')
        return [self._positional(row, number) for number, row in enumerate(rows, start=1)], single

    def inputs(self, rows: list[list[Any]]) -> Inputs:
        """Check every value against the schema and lay the rows out for the model.

        Raises:
            SchemaError: names row, feature, what was found and what is allowed.
        """
        for number, row in enumerate(rows, start=1):
            for feature, value in zip(self.features, row, strict=True):
                if (allowed := _not_allowed(feature, value)) is not None:
                    raise SchemaError(f"row {number}: {feature['name']}: found {_shown(value)}, allowed: {allowed}")
        return Inputs(self._numbers(rows), self._categories(rows), len(rows))

    def _numbers(self, rows: list[list[Any]]) -> np.ndarray | None:
        if not self._numeric:
            return None
        # None becomes NaN here, as in training.
        return np.array([[row[index] for index in self._numeric] for row in rows], dtype=np.float32)

    def _categories(self, rows: list[list[Any]]) -> np.ndarray | None:
        if not self._category:
            return None
        values = [["" if row[index] is None else row[index] for index in self._category] for row in rows]
        return np.array(values, dtype=object)

    def _positional(self, row: Any, number: int) -> list[Any]:
        if isinstance(row, dict):
            if unknown := [name for name in row if name not in self.names]:
                raise SchemaError(f"row {number}: unknown feature {unknown[0]!r}; known are {', '.join(self.names)}")
            missing = [f["name"] for f in self.features if f["name"] not in row and not f["nullable"]]
            if missing:
                raise SchemaError(f"row {number}: feature {missing[0]!r} is missing and may not be null")
            return [row.get(name) for name in self.names]
        if not isinstance(row, list):
            raise MalformedError(f"row {number}: found {_shown(row)}, allowed: a list of values, or an object by name")
        if len(row) != len(self.names):
            raise SchemaError(
                f"row {number}: {len(row)} values for {len(self.names)} features: {', '.join(self.names)}"
            )
        return row


def _not_allowed(feature: dict[str, Any], value: Any) -> str | None:
    """None if the value may stand for the feature, else what is allowed."""
    if value is None:
        return None if feature["nullable"] else "not null"
    if feature["type"] == "category":
        return _category_not_allowed(feature, value)
    if feature["type"] == "boolean":
        return None if isinstance(value, bool | int) and value in {0, 1} else "true or false"
    return _number_not_allowed(feature, value)


def _number_not_allowed(feature: dict[str, Any], value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "a number"
    if not math.isfinite(value):
        return "a finite number, or null where the feature is nullable"
    if feature["type"] == "integer" and value != int(value):
        return "a whole number"
    low, high = feature.get("minimum"), feature.get("maximum")
    if (low is not None and value < low) or (high is not None and value > high):
        return f"{low if low is not None else '-inf'} to {high if high is not None else 'inf'}"
    return None


def _category_not_allowed(feature: dict[str, Any], value: Any) -> str | None:
    if not isinstance(value, str):
        return "text"
    categories = feature.get("categories")
    return None if categories is None or value in categories else f"one of {', '.join(categories[:20])}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
