"""Rows that repeat an earlier one, value for value, in flat memory: hashes go to files, where equal ones meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from slipway.dataset.finding import SHOWN_ROWS, Finding, Tally
from slipway.dataset.rules import MODEL_FILE
from slipway.table.rows import Batch, open_table
from slipway.table.values import is_scalar, texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKETS = 256
COMPARED = 1000  # so many suspects are compared value for value; more cannot all be chance: that takes 2**37 rows

Entries = npt.NDArray[np.int64]  # [n, 2]: hash, row number


class DuplicateSearch:
    """Feed it every batch with all columns, then ask.

    Args:
        path: the table, read again only to compare the suspects.
        folder: an empty one for the bucket files, 16 bytes per row in all.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self._path, self._folder = path, folder

    def feed(self, batch: Batch) -> None:
        """Note the rows' hashes. They hold for this process only (Python's SipHash is keyed at random)."""
        hashes = np.fromiter(map(hash, _row_texts(batch)), np.int64, len(batch.numbers))
        buckets = hashes & (BUCKETS - 1)
        order = np.argsort(buckets, kind="stable")
        entries = np.column_stack([hashes, batch.numbers])[order]
        ends = np.searchsorted(buckets[order], np.arange(BUCKETS), side="right")
        begin = 0
        for bucket, end in enumerate(ends.tolist()):
            if end > begin:
                with (self._folder / f"{bucket:02x}").open("ab") as file:
                    file.write(entries[begin:end].tobytes())
            begin = end

    def findings(self) -> Iterator[Finding]:
        """One finding if any row repeats an earlier one."""
        count, first = 0, np.empty((0, 2), np.int64)
        for path in sorted(self._folder.iterdir()):
            pairs = _repeats(np.fromfile(path, np.int64).reshape(-1, 2))
            count += len(pairs)
            first = np.concatenate([first, pairs])
            first = first[np.argsort(first[:, 0])][: COMPARED + 1]
        if 0 < count <= COMPARED:
            first = self._equal(first)
            count = len(first)
        if count:
            found = f"a repetition of row {first[0, 1]}"
            tally = Tally(count, first[:SHOWN_ROWS, 0].tolist(), found)
            yield Finding(
                "file", "duplicates", tally, "every row once; `duplicates: allow` would keep them", MODEL_FILE
            )

    def _equal(self, pairs: Entries) -> Entries:
        """The pairs whose rows really are equal."""
        wanted, found = np.unique(pairs), dict[int, list[str]]()
        for batch in open_table(self._path).batches():
            where = np.flatnonzero(np.isin(batch.numbers, wanted))
            if len(where):
                picked = [_cells(array.take(pa.array(where))).to_pylist() for array in batch.columns.values()]
                cells = [list(row) for row in zip(*picked, strict=True)]
                found.update(zip(batch.numbers[where].tolist(), cells, strict=True))
        equal = [found[row] == found[earlier] for row, earlier in pairs.tolist()]
        kept: Entries = pairs[np.array(equal, bool)]
        return kept


def _repeats(entries: Entries) -> Entries:
    """[row, the first row with the same hash] for every row that is not that first one."""
    entries = entries[np.lexsort((entries[:, 1], entries[:, 0]))]
    begins = np.concatenate([[True], entries[1:, 0] != entries[:-1, 0]])
    first = np.maximum.accumulate(np.where(begins, np.arange(len(entries)), 0))
    repeats: Entries = np.column_stack([entries[:, 1], entries[first, 1]])[~begins]
    return repeats


def _row_texts(batch: Batch) -> list[str]:
    joined = pc.binary_join_element_wise(*map(_cells, batch.columns.values()), "\x1f")
    texts_of_rows: list[str] = joined.to_pylist()
    return texts_of_rows


def _cells(array: Any) -> Any:
    if is_scalar(array):
        return texts(array)
    return pa.array([str(value) for value in array.to_pylist()], pa.string())
