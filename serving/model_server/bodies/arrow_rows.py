"""Arrow IPC streams and Parquet files in, Arrow IPC streams out, by pyarrow, which is only loaded when it is asked for."""

from __future__ import annotations

import io
from typing import Any

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253

from model_server.bodies.json_rows import check_rows
from model_server.errors import MalformedError, SchemaError, UnsupportedError
from model_server.labels import Labels
from model_server.runtime import Outputs
from model_server.schema import FeatureSchema, Inputs

Array = npt.NDArray[Any]


def read_stream(content: bytes, schema: FeatureSchema, max_rows: int) -> Inputs:
    """The checked inputs of an Arrow IPC stream whose columns carry the feature names.

    Raises:
        MalformedError, SchemaError, TooLargeError, UnsupportedError: as their texts say.
    """
    arrow = _pyarrow()
    try:
        table = arrow.ipc.open_stream(content).read_all()
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise MalformedError("the body is not an Arrow IPC stream") from error
    return _from_table(table, schema, max_rows)


def read_parquet(content: bytes, schema: FeatureSchema, max_rows: int) -> Inputs:
    """The same of a Parquet file. The number of rows is read first: a small file can hold very many."""
    arrow = _pyarrow()
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        check_rows(file.metadata.num_rows, max_rows)
        _check_names(file.schema_arrow.names, schema)
        table = file.read(columns=schema.names, use_threads=False)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise MalformedError("the body is not a Parquet file") from error
    return _from_table(table, schema, max_rows)


def write_stream(outputs: Outputs, labels: Labels) -> bytes:
    """Column `prediction` (classes as a dictionary array), and one `probability_<class>` each if they were asked for."""
    arrow = _pyarrow()
    if labels.classes is None:
        columns = {"prediction": arrow.array(outputs.predicted)}
    else:
        codes = arrow.array(outputs.predicted.astype(np.int32))
        columns = {"prediction": arrow.DictionaryArray.from_arrays(codes, arrow.array(labels.classes))}
    if outputs.probabilities is not None:
        for name, column in zip(labels.names, outputs.probabilities.T, strict=True):
            columns[f"probability_{name}"] = arrow.array(np.ascontiguousarray(column))
    batch = arrow.record_batch(columns)
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _from_table(table: Any, schema: FeatureSchema, max_rows: int) -> Inputs:
    rows = table.num_rows
    check_rows(rows, max_rows)
    if not rows:
        raise MalformedError("the body has no row")
    _check_names(table.column_names, schema)
    numbers = np.empty((rows, len(schema.numeric)), dtype=np.float64) if schema.numeric else None
    for target, place in enumerate(schema.numeric):
        assert numbers is not None
        numbers[:, target] = _numbers(table.column(schema.names[place]), schema.names[place])
    categories = np.empty((rows, len(schema.text)), dtype=object) if schema.text else None
    for target, place in enumerate(schema.text):
        assert categories is not None
        categories[:, target] = _texts(table.column(schema.names[place]), schema.names[place])
    return schema.checked(numbers, categories, rows)


def _check_names(names: list[str], schema: FeatureSchema) -> None:
    if missing := [name for name in schema.names if name not in names]:
        raise SchemaError(f"there is no column {missing[0]!r}; the features are {', '.join(schema.names[:20])}")


def _numbers(column: Any, name: str) -> Array:
    """float64, NaN for null."""
    arrow = _pyarrow()
    kind = column.type
    if not (arrow.types.is_integer(kind) or arrow.types.is_floating(kind) or arrow.types.is_boolean(kind)):
        raise SchemaError(f"column {name}: found {kind}, allowed: numbers or booleans")
    return column.cast(arrow.float64()).to_numpy(zero_copy_only=False) if column.null_count else _plain(column)


def _plain(column: Any) -> Array:
    array: Array = column.to_numpy()
    return array


def _texts(column: Any, name: str) -> Array:
    arrow = _pyarrow()
    if arrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (arrow.types.is_string(column.type) or arrow.types.is_large_string(column.type)):
        raise SchemaError(f"column {name}: found {column.type}, allowed: text")
    texts: Array = column.to_numpy()
    if column.null_count:
        texts = np.where(texts == None, "", texts)  # noqa: E711  element by element
    return texts


def _pyarrow() -> Any:
    try:
        import pyarrow as arrow
        import pyarrow.ipc
    except ImportError as error:
        raise UnsupportedError("this server was built without pyarrow: send JSON, CSV or .npy") from error
    return arrow
