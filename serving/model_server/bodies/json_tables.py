"""Large tables in JSON, from text to arrays without a Python object for each value.

Numbers are simdjson's work. Texts are blanked out first, as zeros, and picked from the bytes: simdjson then sees a table of
numbers alone. Whatever is unusual (escapes, nulls, booleans, named features) is left to the slow way, which also words the
errors: nothing here decides that a request is wrong.
"""

from __future__ import annotations

import codecs
import threading
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253
import simdjson

from model_server.bodies.texts import LONGEST, objects_of, width_of
from model_server.message import QUICK_BYTES
from model_server.schema import FeatureSchema

Array = npt.NDArray[Any]

# Below this, orjson's objects cost less than simdjson's set-up.
LARGE_BYTES = 4096
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[],"))
_QUOTE, _COMMA, _SPACE, _ZERO, _FIRST_PRINTABLE = b'", 0 '
_BEFORE_TEXT, _AFTER_TEXT = np.zeros(256, dtype=bool), np.zeros(256, dtype=bool)
_BEFORE_TEXT[list(b"[, \t\r\n")] = _AFTER_TEXT[list(b"], \t\r\n")] = True

# One parser for all threads: it keeps several times the memory of the largest body, and holds the interpreter's lock anyway.
_parser: Any = simdjson.Parser()
_turn = threading.Lock()


class Table(NamedTuple):
    """Rows of a model's features: float64 (rows, numeric features), str objects (rows, category features)."""

    numbers: Array | None
    categories: Array | None
    rows: int


def find_table(content: bytes, keys: Collection[str], schema: FeatureSchema) -> Table | None:
    """The rows of a large ``{key: [[value, ..], ..]}``, not checked yet; None for anything else."""
    if len(content) < LARGE_BYTES or content.startswith(codecs.BOM_UTF8):  # which orjson refuses
        return None
    width = len(schema.names)
    if not schema.text:
        numbers = _parse(content, keys, width)
        return None if numbers is None else Table(numbers, None, len(numbers))
    parted = _part(content)
    values = _parse(parted.blanked, keys, width) if parted else None
    if parted is None or values is None:
        return None
    places = np.arange(len(values))[:, None] * width + schema.text
    if not np.array_equal(parted.places, places.ravel()):
        return None
    categories = parted.texts.reshape(len(values), len(schema.text))
    return Table(values[:, schema.numeric] if schema.numeric else None, categories, len(values))


class _Parted(NamedTuple):
    """A text's bytes with 0 for each string in its table; the strings; and which value of the table each one is."""

    blanked: bytes
    texts: Array
    places: Array


def _part(content: bytes) -> _Parted | None:
    start = content.find(b"[") + 1  # the key before it may be quoted, too
    if not start or b"\\" in content:
        return None
    data = np.frombuffer(content, dtype=np.uint8)[start:]
    is_quote = data == _QUOTE
    quotes = np.flatnonzero(is_quote)
    if not len(quotes) or len(quotes) % 2 or quotes[-1] + 1 == len(data) or not quotes[0]:
        return None
    opening, closing = quotes[::2], quotes[1::2]
    if not (_BEFORE_TEXT[data[opening - 1]].all() and _AFTER_TEXT[data[closing + 1]].all()):
        return None
    texts = _texts(data, opening + 1, closing - opening - 1)
    if texts is None:
        return None
    inside = np.cumsum(is_quote, dtype=np.uint8) % 2 == 1  # wraps at 256, which is even
    if (data[inside] < _FIRST_PRINTABLE).any():
        return None
    blanked = np.where(inside, np.uint8(_SPACE), data)
    blanked[closing] = _ZERO
    places = np.cumsum(blanked == _COMMA)[opening]
    return _Parted(content[:start] + blanked.tobytes(), texts, places)


def _texts(data: Array, starts: Array, lengths: Array) -> Array | None:
    longest = int(lengths.max())
    if longest > LONGEST:
        return None
    width = width_of(longest)
    padded = np.concatenate([data, np.zeros(width, dtype=np.uint8)])
    table = np.lib.stride_tricks.sliding_window_view(padded, width)[starts]
    table[np.arange(width) >= lengths[:, None]] = 0
    try:
        return objects_of(table)
    except UnicodeDecodeError:
        return None


def _parse(content: bytes, keys: Collection[str], width: int) -> Array | None:
    # The event loop, where small bodies are read, does not wait for a large one's turn: they can go the slow way.
    if not _turn.acquire(blocking=len(content) > QUICK_BYTES):
        return None
    try:
        return _numbers(
            content, keys, width
        )  # what it parsed is gone when it ends, or the parser would not parse again
    finally:
        _turn.release()


def _numbers(content: bytes, keys: Collection[str], width: int) -> Array | None:
    """float64, shape (rows, width)."""
    try:
        document = _parser.parse(content)
        found = list(document.keys()) if isinstance(document, simdjson.Object) else []
        rows = document[found[0]] if len(found) == 1 and found[0] in keys else None
        if not isinstance(rows, simdjson.Array) or not _is_table(content, len(rows), width):
            return None
        return np.frombuffer(rows.as_buffer(of_type="d"), dtype=np.float64).reshape(-1, width)
    except (ValueError, TypeError, RuntimeError):
        return None


def _is_table(content: bytes, rows: int, width: int) -> bool:
    """Whether the brackets and commas of the body are those of `rows` rows of `width` values: as_buffer flattens anything."""
    row = b"[" + b"," * (width - 1) + b"]"
    return rows > 0 and content.translate(None, _NOT_STRUCTURE) == b"[" + b",".join([row] * rows) + b"]"
