"""JSON bodies: rows of values, whatever their form."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any, TypeVar

import orjson

from model_server.bodies.json_tables import LARGE_BYTES, find_table
from model_server.errors import MalformedError, SchemaError, TooLargeError
from model_server.schema import FeatureSchema, Inputs

Row = TypeVar("Row")

SOME_CONTAINERS = 10_000


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
    if (inputs := find_inputs(content, {key}, schema, max_rows)) is not None:
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


def find_inputs(content: bytes, keys: Collection[str], schema: FeatureSchema, max_rows: int) -> Inputs | None:
    """The checked inputs of a large ``{key: [[value, ..], ..]}``; None for anything else: that is read the slow way.

    Raises:
        TooLargeError: too many rows.
    """
    table = find_table(content, keys, schema)
    if table is None:
        return None
    check_rows(table.rows, max_rows)
    try:
        return schema.checked(table.numbers, table.categories, table.rows)
    except SchemaError:  # the slow way names the first wrong value
        return None
