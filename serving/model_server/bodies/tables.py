"""Whole tables by media type, for the routes that take more than JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from model_server.bodies import arrow_rows, csv_rows, npy_rows
from model_server.errors import UnsupportedError
from model_server.labels import Labels
from model_server.runtime import Outputs
from model_server.schema import FeatureSchema, Inputs

Reader = Callable[[bytes, FeatureSchema, int], Inputs]

READERS: dict[str, Reader] = {
    "csv": csv_rows.read,
    "parquet": arrow_rows.read_parquet,
    "arrow": arrow_rows.read_stream,
    "npy": npy_rows.read,
}


def reader_of(form: str | None, media_type: str, allowed: str) -> Reader:
    """Raises UnsupportedError for a form that is no table."""
    if form not in READERS:
        raise UnsupportedError(f"Content-Type {media_type[:60] or '(none)'}, allowed: {allowed}")
    return READERS[form]


def as_columns(outputs: Outputs, labels: Labels) -> dict[str, list[Any]]:
    """Column `prediction`, and one `probability_<class>` each if they were asked for."""
    columns: dict[str, list[Any]] = {"prediction": labels.values(outputs.predicted)}
    if outputs.probabilities is not None:
        for name, column in zip(labels.names, outputs.probabilities.T, strict=True):
            columns[f"probability_{name}"] = column.tolist()
    return columns
