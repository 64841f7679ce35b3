"""How a file's value becomes a number, a boolean or a text, and what counts as null: the one definition of both.

Null is: a null of Parquet or JSON, a missing key, a floating NaN, an empty text; in number, integer and boolean
columns also the spellings in `NULL_SPELLINGS`. In a category column ``NA`` is a text like any other.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

    from slipway.table.rows import FloatArray, IntArray

NULL_SPELLINGS = ("NA", "NaN", "nan", "null", "NULL", "None", "N/A")

_NULLS = pa.array([None, "", *NULL_SPELLINGS])
_NULL_TEXTS = frozenset(("", *NULL_SPELLINGS))
_NOWHERE: IntArray = np.empty(0, np.int64)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE_NUMBERS = r"^\s*[+-]?[0-9]+\s*$"
_WORDS = {"true": 1.0, "false": 0.0}
_DIGITS = {"1": 1.0, "0": 0.0}


@dataclass(frozen=True)
class Numbers:
    """A column as float64, NaN where it is null or unreadable, and the 0-based positions of either."""

    values: FloatArray
    nulls: IntArray
    bad: IntArray


def is_scalar(array: Any) -> bool:
    """Whether the array's type has a place in a feature: not nested, not raw bytes."""
    kind = array.type
    return bool(pa.types.is_primitive(kind) or pa.types.is_string(kind) or pa.types.is_null(kind)) or bool(
        pa.types.is_decimal(kind)
    )


def numbers(array: Any) -> Numbers:
    """Numbers from text or from numbers; a boolean, a date or a nested value is bad."""
    kind = array.type
    if pa.types.is_string(kind):
        return _from_text(array)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        values = _to_numpy(array.cast(pa.float64(), safe=False))
        return Numbers(values, np.flatnonzero(np.isnan(values)), _NOWHERE)
    return _all_bad(array)


def booleans(array: Any, *, digits: bool = True) -> Numbers:
    """1.0 and 0.0 from booleans and from true and false in any case; with `digits` also from 1 and 0."""
    kind = array.type
    if pa.types.is_boolean(kind):
        values = _to_numpy(array.cast(pa.int8()).cast(pa.float64()))
        return Numbers(values, np.flatnonzero(np.isnan(values)), _NOWHERE)
    if pa.types.is_string(kind):
        known = _WORDS | _DIGITS if digits else _WORDS
        return _looked_up(array, lambda text: known.get(text.lower()))
    if not digits and not pa.types.is_null(kind):
        return _all_bad(array)
    found = numbers(array)
    bad = ~np.isin(found.values, (0.0, 1.0)) & ~np.isnan(found.values)
    return Numbers(np.where(bad, np.nan, found.values), found.nulls, np.union1d(np.flatnonzero(bad), found.bad))


def texts(array: Any) -> Any:
    """A string array, the empty text for null; `array` must be scalar. 5 reads as ``5``, true as ``true``."""
    if pa.types.is_string(array.type):
        return array.fill_null("") if array.null_count else array
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), None, array)
    return array.cast(pa.string()).fill_null("")


def are_whole(array: Any) -> bool:
    """Whether all values that are not null are spelled as integers: ``5``, not ``5.0``."""
    if not pa.types.is_string(array.type):
        return bool(pa.types.is_integer(array.type) or pa.types.is_null(array.type))
    try:
        array.cast(pa.int64())
    except pa.ArrowInvalid:
        present = pc.if_else(pc.is_in(array, value_set=_NULLS), None, array)
        return pc.all(pc.match_substring_regex(present, _WHOLE_NUMBERS)).as_py() is not False
    return True


def _from_text(text: Any) -> Numbers:
    """Arrow's parser first, then with the nulls taken out, and one by one only where something odd stands."""
    values = _cast(text) if not text.null_count else None
    if values is not None:
        return Numbers(values, _NOWHERE, _NOWHERE)
    nulls = pc.is_in(text, value_set=_NULLS)
    values = _cast(pc.if_else(nulls, None, text))
    if values is not None:
        return Numbers(values, np.flatnonzero(nulls.to_numpy(zero_copy_only=False)), _NOWHERE)
    return _looked_up(text, lambda value: float(value) if _NUMBER.fullmatch(value) else None)


def _cast(text: Any) -> FloatArray | None:
    try:
        values = _to_numpy(text.cast(pa.float64()))
    except pa.ArrowInvalid:
        return None
    # Arrow also reads "inf" and "NAN"; only the slow way tells them from numbers.
    return values if np.count_nonzero(np.isfinite(values)) == len(text) - text.null_count else None


def _looked_up(text: Any, read: Callable[[str], float | None]) -> Numbers:
    """`read` is asked once per distinct text; None means unreadable."""
    encoded = text.dictionary_encode(null_encoding="encode")
    table = [_read(value, read) for value in encoded.dictionary.to_pylist()]
    where = encoded.indices.to_numpy(zero_copy_only=False)
    values = np.array([math.nan if value is None else value for value in table], np.float64)[where]
    bad = np.array([value is None for value in table], bool)[where]
    return Numbers(values, np.flatnonzero(np.isnan(values) & ~bad), np.flatnonzero(bad))


def _read(text: str | None, read: Callable[[str], float | None]) -> float | None:
    stripped = (text or "").strip()
    return math.nan if stripped in _NULL_TEXTS else read(stripped)


def _all_bad(array: Any) -> Numbers:
    present = array.is_valid().to_numpy(zero_copy_only=False)
    return Numbers(np.full(len(array), np.nan), np.flatnonzero(~present), np.flatnonzero(present))


def _to_numpy(array: Any) -> FloatArray:
    values: FloatArray = array.to_numpy(zero_copy_only=False)
    return values
