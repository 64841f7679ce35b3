"""JSON Lines: one JSON object per line, UTF-8; a key that a line leaves out is null there."""

from __future__ import annotations

import json
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from slipway.table.byte_stream import open_bytes
from slipway.table.csv_rows import DAMAGE
from slipway.table.rows import (
    MAX_FAULTS,
    MAX_ROW_BYTES,
    Batch,
    Fault,
    cut,
    damage_fault,
    encoding_fault,
    too_many_faults,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BATCH_ROWS = 4096
_OBJECT = "one JSON object per line"

NumberedRow = tuple[int, dict[str, Any]]


class JsonLinesTable:
    """The columns are the keys of the first 4096 rows, in order of first appearance."""

    typed = True
    ordered = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.faults: list[Fault] = []

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The keys."""
        probe = JsonLinesTable(self._path)
        return tuple(dict.fromkeys(key for _, row in islice(probe._rows(), BATCH_ROWS) for key in row))

    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        """Up to 4096 rows each, fewer where they are long."""
        wanted, known = list(self.columns if names is None else names), frozenset(self.columns)
        rows = self._known_rows(known)
        while chunk := list(islice(rows, max(1, min(BATCH_ROWS, 2**19 // max(1, len(known)))))):
            numbers = np.array([number for number, _ in chunk], dtype=np.int64)
            yield Batch(numbers, {name: _array([row.get(name) for _, row in chunk]) for name in wanted})

    def _known_rows(self, known: frozenset[str]) -> Iterator[NumberedRow]:
        for number, row in self._rows():
            if not row.keys() <= known:
                key = next(key for key in row if key not in known)
                allowed = f"a key of the first {BATCH_ROWS} rows"
                self.faults.append(Fault("keys", f"the new key {cut(key)}", allowed, number))
            else:
                yield number, row
            if len(self.faults) >= MAX_FAULTS:
                self.faults.append(too_many_faults())
                return

    def _rows(self) -> Iterator[NumberedRow]:
        number = 0
        for line in self._lines():
            if line.isspace():
                continue
            number += 1
            try:
                row = json.loads(line, parse_constant=_refuse)
            except UnicodeDecodeError:
                self.faults.extend(filter(None, [encoding_fault(self._path)]))
                return
            except (ValueError, RecursionError):
                row = None
            if isinstance(row, dict):
                yield number, row
            else:
                self.faults.append(Fault("JSON", cut(line.decode(errors="replace").strip()), _OBJECT, number))

    def _lines(self) -> Iterator[bytes]:
        try:
            with open_bytes(self._path) as stream:
                while line := stream.readline(MAX_ROW_BYTES + 1):
                    if len(line) > MAX_ROW_BYTES:
                        self.faults.append(Fault("JSON", f"a line over {MAX_ROW_BYTES} bytes", _OBJECT))
                        return
                    yield line.removeprefix(b"\xef\xbb\xbf")
        except DAMAGE as error:
            self.faults.append(damage_fault(error))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _array(values: list[Any]) -> Any:
    """The values as one Arrow array: of numbers if all are, as text if they are mixed."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        if all(value is None or type(value) in {int, float} for value in values):
            # Through text, because an integer of over 308 digits has no float but reads as infinity.
            return pa.array([None if value is None else float(str(value)) for value in values], pa.float64())
        return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="replace").decode()
