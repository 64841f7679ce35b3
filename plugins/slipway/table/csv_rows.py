"""CSV as in RFC 4180: a header line, commas, double quotes; UTF-8, with or without a byte order mark."""

from __future__ import annotations

import csv
import gzip
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from slipway.table.byte_stream import open_bytes
from slipway.table.rows import (
    MAX_FAULTS,
    MAX_ROW_BYTES,
    Batch,
    Fault,
    IntArray,
    cut,
    damage_fault,
    encoding_fault,
    too_many_faults,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
_UNCLOSED = Fault(
    "quotes", f"a quoted value that does not end, or a row over {MAX_ROW_BYTES} bytes", "closed quotes, shorter rows"
)


class CsvTable:
    """Every value is a string, the empty one for an empty field; blank lines are no rows."""

    typed = False
    ordered = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self.faults: list[Fault] = []

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The header."""
        try:
            with open_bytes(self._path) as stream:
                return _read_header(stream)
        except UnicodeDecodeError:
            self.faults.extend(filter(None, [encoding_fault(self._path)]))
        except csv.Error as error:
            self.faults.append(Fault("header", f"no header line ({error})", "one line of column names"))
        except DAMAGE as error:
            self.faults.append(damage_fault(error))
        return ()

    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        """About a megabyte of rows each."""
        wanted = list(self.columns if names is None else names)
        if not wanted:
            return
        ragged: list[int] = []
        try:
            with open_bytes(self._path) as stream:
                _read_header(stream)
                watched = _WatchedStream(stream)
                yield from self._blocks(watched, wanted, ragged)
        except pa.ArrowInvalid as error:
            self.faults.extend(self._faults_of(error, ragged))
        except DAMAGE as error:
            self.faults.append(damage_fault(error))

    def _blocks(self, stream: _WatchedStream, wanted: list[str], ragged: list[int]) -> Iterator[Batch]:
        done, block = 0, None
        for block in self._open(stream, wanted, ragged):
            columns = {name: block.column(name) for name in wanted}
            yield Batch(_row_numbers(done + 1, block.num_rows, ragged), columns)
            done += block.num_rows
        if block is not None and stream.quotes % 2 and (stream.last != b"\n" or _ends_in_newline(block)):
            self.faults.append(_UNCLOSED)

    def _open(self, stream: _WatchedStream, wanted: list[str], ragged: list[int]) -> Any:
        def note(row: Any) -> str:
            ragged.append(row.number)
            found = f"{row.actual_columns} values in {cut(row.text or '')}"
            self.faults.append(Fault("row length", found, f"{row.expected_columns} values", row.number))
            return "skip" if len(ragged) < MAX_FAULTS else "error"

        return pa_csv.open_csv(
            stream,
            # One thread: the numbers of broken rows are only known then, and more readahead costs memory, not time.
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=MAX_ROW_BYTES, column_names=list(self.columns)
            ),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(self.columns, pa.string()), strings_can_be_null=False, include_columns=wanted
            ),
        )

    def _faults_of(self, error: Exception, ragged: list[int]) -> list[Fault]:
        text = str(error)
        if "Empty CSV" in text:
            return []
        if len(ragged) >= MAX_FAULTS:
            return [too_many_faults()]
        if "straddl" in text:
            return [_UNCLOSED]
        return [encoding_fault(self._path) or Fault("file", cut(text, 120), "CSV")]


class _WatchedStream:
    """Counts quotation marks on the way: Arrow takes a quote that is never closed for the end of the last value."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.quotes = 0
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._stream.read(size)
        self.quotes += data.count(b'"')
        self.last = data[-1:] or self.last
        return data

    def close(self) -> None:
        """Left to the owner of the stream."""

    def readable(self) -> bool:
        """Arrow asks."""
        return True


def _read_header(stream: BinaryIO) -> tuple[str, ...]:
    """The names in the first line that is not blank; leaves `stream` at the first row."""

    def lines() -> Iterator[str]:
        encoding = "utf-8-sig"
        while line := stream.readline(MAX_ROW_BYTES):
            yield line.decode(encoding)
            encoding = "utf-8"

    # csv.reader asks for a further line only while a quoted name is open.
    return next((tuple(names) for names in csv.reader(lines(), strict=True) if names), ())


def _row_numbers(first: int, count: int, ragged: list[int]) -> IntArray:
    """Row numbers of `count` sound rows, the first of which is the `first`-th sound one; `ragged` rows count too."""
    numbers = np.arange(first, first + count, dtype=np.int64)
    if not ragged:
        return numbers
    sound_before = np.array(ragged) - np.arange(len(ragged))
    return numbers + np.searchsorted(sound_before, numbers, side="right")


def _ends_in_newline(block: Any) -> bool:
    last = block.slice(block.num_rows - 1).to_pylist()
    return any("\n" in value for row in last for value in row.values())
