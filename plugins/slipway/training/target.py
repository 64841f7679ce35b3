"""The target as an estimator sees it: class codes or numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slipway.core.bundle import JsonValue, Task
from slipway.core.column import Column
from slipway.core.errors import ConfigurationError, RejectedError


@dataclass(frozen=True)
class Target:
    """`values`: int64 codes 0..C-1 into `classes`, or float64 numbers and `classes` None."""

    values: npt.NDArray[Any]
    classes: tuple[JsonValue, ...] | None


def encode_target(values: npt.NDArray[Any], column: Column, task: Task) -> Target:
    """Code the labels by the sorted distinct values, or take numbers as they are.

    Raises:
        ConfigurationError: a regression of categories.
        RejectedError: labels of one class only.
    """
    if task == "regression":
        if column.type == "category":
            raise ConfigurationError(
                "could not use the target for regression",
                on=column.name,
                why="it is a category, a regressor needs numbers",
                fix="Name a classifier in train.estimator, or another dataset.target.",
            )
        return Target(values.astype(np.float64), None)
    distinct, codes = np.unique(values, return_inverse=True)
    classes = tuple(distinct.tolist())
    if len(classes) < 2:
        raise RejectedError(
            "could not learn classes",
            on=column.name,
            why=f"all {len(values)} rows have the value {classes[0]!r}" if classes else "there are no rows",
            fix="Give a dataset that holds at least two classes.",
        )
    return Target(codes.astype(np.int64), classes)
