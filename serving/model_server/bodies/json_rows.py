"""JSON bodies. Large tables of numbers go from text to array without a Python object for each number."""

from __future__ import annotations

import codecs
import threading
from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any, TypeVar

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253
import orjson
import simdjson

from model_server.errors import MalformedError, TooLargeError
from model_server.schema import FeatureSchema, Inputs

Array = npt.NDArray[Any]
Row = TypeVar("Row")

# Below this, orjson's objects cost less than simdjson's set-up.
LARGE_BYTES = 4096
SOME_CONTAINERS = 10_000
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[],"))

# One parser for all threads: it keeps several times the memory of the largest body, and holds the interpreter's lock anyway.
_parser: Any = simdjson.Parser()
_turn = threading.Lock()


def load(content: bytes, max_rows: int) -> Any:
    """The value of a JSON text.

    Raises:
        MalformedError: it is none (RFC 8259: no NaN, no Infinity), or is nested deeper than 1024.
        TooLargeError: it holds many more lists and objects than `max_rows` rows need. Each costs twenty times its two
            brackets, so they are counted before they are made.
    """
    if len(content) > LARGE_BYTES and content.count(b"[") + content.count(b"{") > 4 * max_rows + SOME_CONTAINERS:
        raise TooLargeError(f"too many lists and objects in one request, allowed: {max_rows} rows")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"the body is not JSON: {error}") from error


def read_rows(content: bytes, key: str, schema: FeatureSchema, max_rows: int) -> tuple[Inputs, bool]:
    """The rows under `key` of a JSON object.

    Returns:
        The checked inputs, and whether a single row was given.

    Raises:
        MalformedError, SchemaError, TooLargeError: as their texts say.
    """
    if (inputs := find_numbers(content, {key}, schema, max_rows)) is not None:
        return inputs, False
    rows, single = decode_rows(content, key, schema, max_rows)
    return schema.inputs(rows), single


def decode_rows(content: bytes, key: str, schema: FeatureSchema, max_rows: int) -> tuple[list[list[Any]], bool]:
    """The same as positional rows of values that are not checked yet."""
    body = load(content, max_rows)
    if not isinstance(body, dict) or key not in body:
        raise MalformedError(f'the body must be JSON like {{"{key}": [..]}}')
    rows, single = schema.rows_of(body[key], key)
    check_rows(len(rows), max_rows)
    return rows, single


def check_rows(rows: int, max_rows: int) -> None:
    """Raises TooLargeError if there are more rows than allowed."""
    if rows > max_rows:
        raise TooLargeError(f"{rows} rows in one request, allowed: {max_rows}")


def first_rows(rows: Iterable[Row], max_rows: int) -> list[Row]:
    """All rows; raises TooLargeError once there are more than allowed, before the others are made."""
    found = list(islice(rows, max_rows + 1))
    if len(found) > max_rows:
        raise TooLargeError(f"more than {max_rows} rows in one request")
    return found


def find_numbers(content: bytes, keys: Collection[str], schema: FeatureSchema, max_rows: int) -> Inputs | None:
    """The checked inputs of a large ``{key: [[number, ..], ..]}``; None for anything else: that is read the slow way.

    Raises:
        SchemaError, TooLargeError: as their texts say.
    """
    if len(content) < LARGE_BYTES or schema.text or content.startswith(codecs.BOM_UTF8):  # which orjson refuses
        return None
    with _turn:  # what is parsed must be gone before the parser is used again: it is, when the call ends
        numbers = _numbers(content, keys, len(schema.names))
    if numbers is None:
        return None
    check_rows(len(numbers), max_rows)
    return schema.checked(numbers, None, len(numbers))


def _is_table(content: bytes, rows: int, width: int) -> bool:
    """Whether the brackets and commas of the body are those of `rows` rows of `width` values: as_buffer flattens anything."""
    row = b"[" + b"," * (width - 1) + b"]"
    return rows > 0 and content.translate(None, _NOT_STRUCTURE) == b"[" + b",".join([row] * rows) + b"]"


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
