"""A dataset as training sees it: a frame of features and the target, normalised as serving normalises its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from slipway.core.errors import RejectedError
from slipway.table.rows import Batch, IntArray, Table, cut, open_table
from slipway.table.values import booleans, numbers, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from slipway.core.column import Column, Schema

_TARGET_TYPES = {"integer": np.int64, "boolean": np.bool_, "number": np.float64}


def read_frame(path: Path, schema: Schema, rows: IntArray | None = None) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """The features in the schema's order, and the target, of all rows or of some.

    Args:
        path: a table file, by its name.
        schema: what validation settled.
        rows: 0-based positions of the wanted rows, ascending, without repeats; None means all.

    Returns:
        The features: number, integer and boolean as float64 holding float32-rounded values, NaN for null; category as
        object of str, ``""`` for null. The target by its type: integer int64, boolean bool, number float64 (not
        rounded), category object of str; ``.tolist()`` gives the Python values. Both have the index 0..n-1.

    Raises:
        ConfigurationError: not a supported format.
        RejectedError: the file cannot be read, or a value does not fit the schema.
    """
    table = open_table(path)
    features = [_feature(column) for column in schema.features]
    target = _target(schema.target)
    parts = [*features, target]
    _require([part.name for part in parts], table, path)
    for batch in _selected(table, [part.name for part in parts], rows):
        for part in parts:
            part.take(batch, path)
    if table.faults:
        raise _rejected(path, f"{table.faults[0].rule}: found {table.faults[0].found}")
    frame = pd.DataFrame({part.name: part.whole() for part in features}, copy=False)
    return frame, target.whole()


class _Part:
    """One column as it grows. `read` gives the values, and the positions of those that do not fit."""

    def __init__(self, column: Column, dtype: type, read: Callable[[Any], tuple[Any, IntArray]]) -> None:
        self.name, self._type, self._dtype, self._read = column.name, column.type, dtype, read
        self._pieces: list[Any] = []

    def take(self, batch: Batch, path: Path) -> None:
        """Append the batch's values. Raises RejectedError."""
        array = batch.columns[self.name]
        values, bad = self._read(array)
        if len(bad):
            row, found = batch.numbers[bad[0]], cut(str(array[int(bad[0])].as_py() or ""))
            raise _rejected(path, f"{self.name}: found {found} in row {row}, allowed: {self._type}")
        self._pieces.append(values)

    def whole(self) -> pd.Series[Any]:
        """All values as one series; the pieces are given up on the way, to hold the column in memory about once."""
        whole: Any = np.empty(sum(map(len, self._pieces)), self._dtype)
        done = 0
        self._pieces.reverse()
        while self._pieces:
            piece = self._pieces.pop()
            whole[done : done + len(piece)] = piece
            done += len(piece)
        # The type is said because pandas makes object columns of texts into its own string type.
        series: pd.Series[Any] = pd.Series(whole, dtype=whole.dtype, name=self.name, copy=False)
        return series


def _feature(column: Column) -> _Part:
    if not column.is_numeric:
        return _Part(column, object, _TextReader())
    parse = booleans if column.type == "boolean" else numbers

    def read(array: Any) -> tuple[Any, IntArray]:
        found = parse(array)
        return found.values.astype(np.float32), found.bad

    return _Part(column, np.float64, read)


def _target(column: Column) -> _Part:
    if not column.is_numeric:
        return _Part(column, object, _TextReader())

    def read(array: Any) -> tuple[Any, IntArray]:
        found = booleans(array) if column.type == "boolean" else numbers(array)
        bad = np.union1d(found.nulls, found.bad)
        if column.type == "integer":
            bad = np.union1d(bad, np.flatnonzero(np.trunc(found.values) != found.values))
        return found.values, bad

    return _Part(column, _TARGET_TYPES[column.type], read)


class _TextReader:
    """Python strings, one object per distinct text: a category of ten values costs ten strings."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, array: Any) -> tuple[Any, IntArray]:
        encoded = texts(array).dictionary_encode()
        distinct = [self._known.setdefault(text, text) for text in encoded.dictionary.to_pylist()]
        return np.array(distinct, object)[encoded.indices.to_numpy()], np.empty(0, np.int64)


def _selected(table: Table, names: list[str], rows: IntArray | None) -> Iterator[Batch]:
    taken = 0
    for batch in table.batches(names):
        if rows is None:
            yield batch
            continue
        begin = int(batch.numbers[0]) - 1
        end = int(np.searchsorted(rows, begin + len(batch.numbers)))
        if end > taken:
            where = rows[taken:end] - begin
            picked = pa.array(where)
            yield Batch(batch.numbers[where], {name: array.take(picked) for name, array in batch.columns.items()})
            taken = end
        if taken == len(rows):
            return


def _require(names: list[str], table: Table, path: Path) -> None:
    columns = table.columns
    for name in names:
        if name not in columns:
            raise _rejected(path, f"found no column {name!r} among {', '.join(columns) or 'none'}")


def _rejected(path: Path, why: str) -> RejectedError:
    return RejectedError(
        "could not read the rows",
        on=str(path),
        why=why,
        fix="The file is not what its validation saw: store the dataset again.",
    )
