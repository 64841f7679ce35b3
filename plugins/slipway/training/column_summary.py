"""What the columns of the dataset look like, in a few numbers each, for the report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from slipway.core.column import Schema

_BINS = 12
_TOP = 3


def summarise(frame: pd.DataFrame, target: pd.Series[Any], schema: Schema) -> tuple[dict[str, Any], ...]:
    """One JSON object per column, target first: name, type, missing, and a spread of numbers or the top categories."""
    columns = [_summary(target, schema.target.type, "target")]
    columns += [_summary(frame[column.name], column.type, "feature") for column in schema.features]
    return tuple(columns)


def _summary(values: pd.Series[Any], kind: str, role: str) -> dict[str, Any]:
    found = {"name": str(values.name), "type": kind, "role": role, "rows": len(values)}
    return found | (_texts(values) if kind == "category" else _numbers(values))


def _numbers(values: pd.Series[Any]) -> dict[str, Any]:
    numbers = values.to_numpy(np.float64)
    present = numbers[~np.isnan(numbers)]
    if not present.size:
        return {"missing": len(numbers)}
    minimum, median, maximum = (_short(value) for value in np.percentile(present, [0, 50, 100]))
    counts, _ = np.histogram(present, bins=_BINS)
    return {
        "missing": len(numbers) - len(present),
        "minimum": minimum,
        "median": median,
        "mean": _short(present.mean()),
        "maximum": maximum,
        "histogram": counts.tolist(),
    }


def _texts(values: pd.Series[Any]) -> dict[str, Any]:
    counts = values[values != ""].value_counts()
    top = [[str(name)[:60], int(count)] for name, count in counts.head(_TOP).items()]
    return {"missing": int((values == "").sum()), "distinct": len(counts), "top": top}


def _short(value: Any) -> float:
    """Six significant digits: for reading, not for computing."""
    return float(f"{float(value):.6g}")
