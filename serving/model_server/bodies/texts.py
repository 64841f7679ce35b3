"""Many texts of which few differ, as categories are: each different one is made once, and no step in Python for each."""

from __future__ import annotations

from typing import Any

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253

Array = npt.NDArray[Any]

MANY = 1000  # from here on it pays to look for equal ones
LONGEST = 64  # bytes
_SLOT_BITS = 16
_TRIES = 3
# Multiplicative hashing (D. Knuth, The Art of Computer Programming 3, 6.4): odd factors spread keys over the high bits.
_FACTORS = np.random.default_rng(0).integers(0, 2**64, (_TRIES, LONGEST // 8), np.uint64) | np.uint64(1)


def width_of(longest: int) -> int:
    """How many bytes a table for `objects_of` has, for texts of at most `longest` bytes."""
    return max(8, -(-longest // 8) * 8)


def objects_of(table: Array) -> Array | None:
    """The texts as str objects.

    Every row finds, by its hash, a row that stands for it; if each then has the text of its own, no two texts share a slot.

    Args:
        table: uint8 (texts, `width_of` the longest): UTF-8 without NUL, zeros behind.

    Returns:
        None where the hash does not part them: there are too many different ones.

    Raises:
        UnicodeDecodeError: one is not UTF-8.
    """
    words, rows = table.view("<u8"), np.arange(len(table))
    standing = np.empty(1 << _SLOT_BITS, dtype=np.int64)
    for factors in _FACTORS:
        slots = (words * factors[: words.shape[1]]).sum(axis=1, dtype=np.uint64) >> np.uint64(64 - _SLOT_BITS)
        standing[slots] = rows
        chosen = standing[slots]
        if np.array_equal(words[chosen], words):
            different = np.flatnonzero(chosen == rows)
            made = np.empty(1 << _SLOT_BITS, dtype=object)
            made[slots[different]] = [table[row].tobytes().rstrip(b"\0").decode() for row in different]
            found: Array = made[slots]
            return found
    return None
