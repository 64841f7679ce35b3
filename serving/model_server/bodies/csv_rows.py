"""CSV bodies: with a header line (feature names, in any order, without those that may be null) or without (all in order)."""

from __future__ import annotations

import csv
import io
import sys
from typing import Any

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253

from model_server.bodies.json_rows import check_rows, first_rows
from model_server.errors import MalformedError, SchemaError
from model_server.schema import FeatureSchema, Inputs

Array = npt.NDArray[Any]

csv.field_size_limit(min(sys.maxsize, 1 << 20))
_WORDS = {"true": "1", "false": "0"}


def read(content: bytes, schema: FeatureSchema, max_rows: int) -> Inputs:
    """The checked inputs. An empty field is null.

    Raises:
        MalformedError: not UTF-8, not CSV, or no row.
        SchemaError: a row of the wrong length, a value that the schema does not allow.
        TooLargeError: too many rows.
    """
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows = first_rows((row for row in lines if row), max_rows + 1)
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedError(f"the body is not CSV in UTF-8: {error}") from error
    header = rows.pop(0) if rows and _is_header(rows[0], schema) else schema.names
    if not rows:
        raise MalformedError("the CSV body has no row")
    check_rows(len(rows), max_rows)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise SchemaError(f"row {number}: {len(row)} values for {len(header)} features: {', '.join(header[:20])}")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    absent = ("",) * len(rows)
    return _laid_out([columns.get(name, absent) for name in schema.names], schema, len(rows))


def write(columns: dict[str, list[Any]]) -> bytes:
    """Columns as CSV, one line a row, without a header where there is one column: what SageMaker's clients expect."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    if len(columns) > 1:
        writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue().encode()


def _is_header(row: list[str], schema: FeatureSchema) -> bool:
    required = {feature["name"] for feature in schema.features if not feature["nullable"]}
    return len(set(row)) == len(row) and required <= set(row) <= set(schema.names)


def _laid_out(columns: list[tuple[str, ...]], schema: FeatureSchema, rows: int) -> Inputs:
    numbers = categories = None
    if schema.numeric:
        numbers = np.column_stack([_numbers(columns[place], schema.names[place]) for place in schema.numeric])
    if schema.text:
        categories = np.array([columns[place] for place in schema.text], dtype=object).T
    return schema.checked(numbers, categories, rows)


def _numbers(column: tuple[str, ...], name: str) -> Array:
    try:
        return np.array(column, dtype=np.float64)
    except ValueError:
        return np.array([_number(text, name, number) for number, text in enumerate(column, start=1)])


def _number(text: str, name: str, number: int) -> float:
    word = text.strip().lower()
    try:
        return float(_WORDS.get(word, word)) if word else np.nan
    except ValueError:
        raise SchemaError(f"row {number}: {name}: found {text[:40]!r}, allowed: a number") from None
