"""Parquet, streamed page by page: a row group larger than memory is fine."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from slipway.table.rows import Batch, Fault, damage_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BATCH_CELLS = 2**18
BUFFER_BYTES = 1 << 18


class ParquetTable:
    """Dictionary columns come decoded; nested and binary ones come as they are, for the reader to refuse."""

    typed = True
    ordered = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self.faults: list[Fault] = []

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The top-level columns."""
        try:
            with pa_parquet.ParquetFile(self._path) as file:
                return tuple(file.schema_arrow.names)
        except (pa.ArrowException, OSError) as error:
            self.faults.append(damage_fault(error))
            return ()

    def batches(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        """About a quarter of a million cells each."""
        wanted = list(self.columns if names is None else names)
        if not wanted:
            return
        done, size = 0, max(1, min(2**16, BATCH_CELLS // len(wanted)))
        try:
            with pa_parquet.ParquetFile(self._path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
                for block in file.iter_batches(size, columns=wanted, use_threads=False):
                    numbers = np.arange(done + 1, done + 1 + block.num_rows, dtype=np.int64)
                    yield Batch(numbers, {name: _plain(block.column(name)) for name in wanted})
                    done += block.num_rows
        except (pa.ArrowException, OSError) as error:
            self.faults.append(damage_fault(error))


def _plain(array: Any) -> Any:
    """Without the encodings that only save space."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    return array
