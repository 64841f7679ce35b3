"""Tensors of the Open Inference Protocol: JSON or raw bytes to arrays and back.

Source: the protocol's "Inference Protocol" chapter (kserve/open-inference-protocol) and Triton's binary tensor data extension:
little-endian values in row-major order; BYTES elements each with their length as four bytes before them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253
import orjson

from model_server.bodies.texts import LONGEST, MANY, objects_of, width_of
from model_server.errors import MalformedError, SchemaError

Array = npt.NDArray[Any]

DTYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
MAX_DIMENSIONS = 8
MAX_SIZE = 2**31 - 1


def from_json(tensor: dict[str, Any]) -> Array:
    """A tensor whose values stand in its `data`, flat or nested."""
    shape, datatype = _shape(tensor), _datatype(tensor)
    data = tensor.get("data")
    if not isinstance(data, list):
        raise MalformedError(f'{_name(tensor)}: "data" must be a list')
    flat = _flattened(data, tensor)
    _expect_size(len(flat), shape, tensor)
    if datatype == "BYTES":
        return _texts(flat, tensor).reshape(shape)
    # MLServer's codecs write NaN as null, and None becomes NaN here; where that is not allowed the schema refuses it.
    kinds = {bool} if datatype == "BOOL" else {int} if "INT" in datatype else {int, float, type(None)}
    if not kinds.issuperset(map(type, flat)):
        raise SchemaError(f'{_name(tensor)}: "data" holds something that is not {datatype}')
    try:
        return np.array(flat, dtype=DTYPES[datatype]).reshape(shape)
    except OverflowError as error:
        raise SchemaError(f'{_name(tensor)}: "data" holds a number that {datatype} cannot') from error


def from_bytes(tensor: dict[str, Any], data: memoryview) -> Array:
    """A tensor whose values are `data`; no copy where they are numbers."""
    shape, datatype = _shape(tensor), _datatype(tensor)
    if datatype == "BYTES":
        texts = _of_one_length(data)
        if texts is None:
            texts = _texts(_split(bytes(data), tensor), tensor)
        _expect_size(len(texts), shape, tensor)
        return texts.reshape(shape)
    dtype = np.dtype(DTYPES[datatype])
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise SchemaError(f"{_name(tensor)}: {len(data)} bytes for shape {list(shape)} of {datatype}")
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def to_bytes(values: Array, datatype: str) -> bytes:
    """Raw bytes of an output; for BYTES `values` holds encoded elements already."""
    if datatype == "BYTES":
        return b"".join(values.tolist())
    return np.ascontiguousarray(values, dtype=DTYPES[datatype]).tobytes()


def element(text: str) -> bytes:
    """One BYTES element."""
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def to_json(values: Array) -> bytes:
    """A flat JSON list."""
    return orjson.dumps(np.ascontiguousarray(values).reshape(-1), option=orjson.OPT_SERIALIZE_NUMPY)


def _name(tensor: dict[str, Any]) -> str:
    return f"input {str(tensor.get('name', ''))[:40]!r}"


def _datatype(tensor: dict[str, Any]) -> str:
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str) or (datatype != "BYTES" and datatype not in DTYPES):
        raise MalformedError(f"{_name(tensor)}: datatype {str(datatype)[:20]!r}, allowed: {', '.join(DTYPES)}, BYTES")
    return datatype


def _shape(tensor: dict[str, Any]) -> tuple[int, ...]:
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not 1 <= len(shape) <= MAX_DIMENSIONS:
        raise MalformedError(f'{_name(tensor)}: "shape" must be a list of 1 to {MAX_DIMENSIONS} sizes')
    if not all(type(size) is int and 0 <= size <= MAX_SIZE for size in shape) or math.prod(shape) > MAX_SIZE:
        raise MalformedError(f'{_name(tensor)}: the sizes of "shape" must be whole numbers from 0, together {MAX_SIZE}')
    if 0 in shape:
        raise SchemaError(f"{_name(tensor)}: shape {shape} has no value")
    return tuple(shape)


def _expect_size(found: int, shape: Sequence[int], tensor: dict[str, Any]) -> None:
    if found != math.prod(shape):
        raise SchemaError(f"{_name(tensor)}: {found} values for shape {list(shape)}")


def _flattened(data: list[Any], tensor: dict[str, Any]) -> list[Any]:
    for _ in range(MAX_DIMENSIONS):
        if list not in (kinds := set(map(type, data))):
            return data
        if kinds != {list}:
            raise SchemaError(f'{_name(tensor)}: "data" is nested unevenly')
        data = [value for part in data for value in part]
    raise SchemaError(f'{_name(tensor)}: "data" is nested too deeply')


def _of_one_length(data: memoryview) -> Array | None:
    """The elements where they are ASCII and equally long, as codes are, without a step in Python for each; else None."""
    length = int.from_bytes(data[:4], "little")
    if not length or len(data) % (4 + length):
        return None
    table = np.frombuffer(data, dtype=np.uint8).reshape(-1, 4 + length)
    heads, texts = table[:, :4], np.ascontiguousarray(table[:, 4:])
    if (heads != heads[0]).any() or texts.min() == 0 or texts.max() > 127:
        return None
    if len(texts) >= MANY and length <= LONGEST:
        padded = np.zeros((len(texts), width_of(length)), dtype=np.uint8)
        padded[:, :length] = texts
        if (found := objects_of(padded)) is not None:
            return found
    return texts.view(f"S{length}").reshape(-1).astype(f"U{length}").astype(object)


def _split(data: bytes, tensor: dict[str, Any]) -> list[bytes]:
    elements, place, size = [], 0, len(data)
    while place < size:
        start = place + 4
        place = start + int.from_bytes(data[place:start], "little")
        if place > size or start > size:
            raise SchemaError(f"{_name(tensor)}: its last element is longer than its bytes")
        elements.append(data[start:place])
    return elements


def _texts(values: Sequence[Any], tensor: dict[str, Any]) -> Array:
    """str objects, "" for null."""
    table = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        if isinstance(value, bytes):
            try:
                value = value.decode()  # noqa: PLW2901
            except UnicodeDecodeError as error:
                raise SchemaError(f"{_name(tensor)}: element {place} is not UTF-8") from error
        if value is not None and not isinstance(value, str):
            raise SchemaError(f'{_name(tensor)}: "data" holds something that is not text')
        table[place] = value or ""
    return table
