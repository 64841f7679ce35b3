"""What every table reader offers: column names, batches of Arrow arrays with row numbers, and what was no row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from slipway.table.byte_stream import find_bad_byte
from slipway.table.format import get_format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

MAX_ROW_BYTES = 1 << 20  # one row; also the size of the blocks a text file is read in
MAX_FAULTS = 1000  # so many broken rows end the reading: the file is no table


class Batch(NamedTuple):
    """Some consecutive rows: their 1-based numbers (header not counted) and a `pyarrow.Array` per column.

    CSV gives strings; Parquet and JSON Lines give null, boolean, integer, floating, decimal, temporal, string arrays.
    """

    numbers: IntArray
    columns: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """Something in a file that is not a row of it; `row` is None where it is about the file as a whole."""

    rule: str
    found: str
    allowed: str
    row: int | None = None


class Table(Protocol):
    """One file. `faults` grows while `columns` and `batches` read; a broken row is left out of the batches."""

    typed: bool
    """Whether the file says of each value if it is text, a number or a boolean."""
    ordered: bool
    """Whether the order of the columns means anything."""
    faults: list[Fault]

    @property
    def columns(self) -> tuple[str, ...]:
        """The column names in order, as they stand in the file, repeated ones too; empty for an empty file."""

    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        """The rows from the beginning, in memory that does not grow with the file; only the columns `names`."""


def open_table(path: Path) -> Table:
    """The reader for `path`, chosen by its name; reads nothing yet.

    Raises:
        ConfigurationError: not a supported format.
    """
    kind = get_format(path.name).kind
    if kind == "csv":
        from slipway.table.csv_rows import CsvTable

        return CsvTable(path)
    if kind == "parquet":
        from slipway.table.parquet_rows import ParquetTable

        return ParquetTable(path)
    from slipway.table.jsonl_rows import JsonLinesTable

    return JsonLinesTable(path)


def cut(text: str, length: int = 40) -> str:
    """`text` in quotes, at most `length` characters of it."""
    return repr(text if len(text) <= length else text[: length - 3] + "...")


def encoding_fault(path: Path) -> Fault | None:
    """The fault that names the first byte that is not UTF-8, or None."""
    bad = find_bad_byte(path)
    if bad is None:
        return None
    found = f"byte 0x{bad.value:02x} at offset {bad.offset}, line {bad.line}"
    return Fault("encoding", found, "UTF-8")


def damage_fault(error: Exception) -> Fault:
    """The fault for a file whose container (gzip, Parquet) is broken or cut short."""
    return Fault("file", f"a damaged file ({cut(str(error), 120)})", "a whole, readable file")


def too_many_faults() -> Fault:
    """The fault that ends the reading."""
    return Fault("file", f"{MAX_FAULTS} broken rows; reading stopped there", "a table")
