"""NumPy's .npy bodies, for models whose features are all numbers. Arrays of Python objects (pickles) are never read."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253

from model_server.bodies.json_rows import check_rows
from model_server.errors import MalformedError, SchemaError, UnsupportedError
from model_server.schema import FeatureSchema, Inputs

Array = npt.NDArray[Any]


def read(content: bytes, schema: FeatureSchema, max_rows: int) -> Inputs:
    """The checked inputs of an array of shape (rows, features) or (features,).

    Raises:
        MalformedError: not .npy, or holds more or less than its header says.
        SchemaError: another shape, not numbers, a value that the schema does not allow.
        UnsupportedError: the model has categories.
    """
    if schema.text:
        raise UnsupportedError("this model has categories, which .npy cannot carry: send JSON, CSV, Parquet or Arrow")
    array = _array(content)
    table = array.reshape(1, -1) if array.ndim == 1 else array
    if table.ndim != 2 or table.shape[1] != len(schema.names) or not len(table):
        raise SchemaError(f"an array of shape {array.shape}, allowed: (rows, {len(schema.names)})")
    check_rows(len(table), max_rows)
    return schema.checked(table, None, len(table))


def write(values: Any) -> bytes:
    """An array of predictions, text as fixed-width text."""
    stream = io.BytesIO()
    np.save(stream, np.asarray(values), allow_pickle=False)
    return stream.getvalue()


def _array(content: bytes) -> Array:
    """float64. The header is held against the length before anything is allocated: it can claim any shape."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[
            version
        ]
        shape, fortran_order, dtype = read_header(stream)
    except Exception as error:  # the header is Python source; its parser has many ways to fail
        raise MalformedError("the body is not in .npy format, version 1 or 2") from error
    if dtype.kind not in "fiub":
        raise SchemaError(f"an array of {dtype}, allowed: numbers")
    data = content[stream.tell() :]
    if len(shape) > 2:
        raise SchemaError(f"an array of {len(shape)} dimensions, allowed: 1 or 2")
    if (
        not all(type(size) is int and 0 < size < 2**31 for size in shape)
        or len(data) != math.prod(shape) * dtype.itemsize
    ):
        raise MalformedError(f"the header says shape {shape} of {dtype}, which is not what follows")
    array = np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran_order else "C")
    return array.astype(np.float64)
