"""Arrow IPC streams and Parquet files in, Arrow IPC streams out, by pyarrow, which is only loaded when it is asked for."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253

from model_server.bodies.json_rows import check_rows
from model_server.errors import MalformedError, SchemaError, TooLargeError, UnsupportedError
from model_server.labels import Labels
from model_server.runtime import Outputs
from model_server.schema import FeatureSchema, Inputs, stacked

Array = npt.NDArray[Any]

UNPACKED_BYTES = 64 * 1024 * 1024
SOME_ROWS = 100


def read_stream(content: bytes, schema: FeatureSchema, max_rows: int) -> Inputs:
    """The checked inputs of an Arrow IPC stream whose columns carry the feature names.

    Raises:
        MalformedError, SchemaError, TooLargeError, UnsupportedError: as their texts say.
    """
    arrow = _pyarrow()
    try:
        _refuse_compressed(content)
        table = arrow.ipc.open_stream(content).read_all()
    except (arrow.ArrowException, OSError, ValueError, IndexError, struct.error) as error:
        raise MalformedError("the body is not an Arrow IPC stream") from error
    return _from_table(table, schema, max_rows)


def read_parquet(content: bytes, schema: FeatureSchema, max_rows: int) -> Inputs:
    """The same of a Parquet file. The number of rows is read first: a small file can hold very many."""
    arrow = _pyarrow()
    from pyarrow import parquet

    try:
        metadata = parquet.read_metadata(io.BytesIO(content))
        check_rows(metadata.num_rows, max_rows)
        _check_unpacked(metadata, max(UNPACKED_BYTES, 4 * len(content)))
        # Texts stay in their dictionaries: one long text in there can be the value of every row.
        paths = {metadata.schema.column(place).path for place in range(metadata.num_columns)}
        texts = [schema.names[place] for place in schema.text if schema.names[place] in paths]
        file = parquet.ParquetFile(io.BytesIO(content), metadata=metadata, read_dictionary=texts)
        _check_names(file.schema_arrow.names, schema)
        table = file.read(columns=schema.names, use_threads=False)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise MalformedError("the body is not a Parquet file") from error
    return _from_table(table, schema, max_rows)


def write_stream(outputs: Outputs, labels: Labels) -> bytes:
    """Column `prediction` (classes as a dictionary array), and one `probability_<class>` each if they were asked for."""
    arrow = _pyarrow()
    if labels.classes is None:
        columns = {"prediction": _floats(outputs.predicted)}
    else:
        codes = _array(arrow.int32(), outputs.predicted.astype(np.int32))
        columns = {"prediction": arrow.DictionaryArray.from_arrays(codes, _dictionary(labels), safe=False)}
    if outputs.probabilities is not None:
        for name, column in zip(labels.names, outputs.probabilities.T, strict=True):
            columns[f"probability_{name}"] = _floats(column)
    batch = arrow.record_batch(columns)
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _dictionary(labels: Labels) -> Any:
    """The classes as an Arrow array, made once."""
    if labels.dictionary is None:
        labels.dictionary = _pyarrow().array(labels.classes)
    return labels.dictionary


def _floats(values: Array) -> Any:
    arrow = _pyarrow()
    return _array(arrow.float32() if values.dtype == np.float32 else arrow.float64(), np.ascontiguousarray(values))


def _array(kind: Any, values: Array) -> Any:
    """Around the values' own memory: `pyarrow.array` looks for pandas at every call, which costs more than the rest."""
    arrow = _pyarrow()
    return arrow.Array.from_buffers(kind, len(values), [None, arrow.py_buffer(values)])


def _from_table(table: Any, schema: FeatureSchema, max_rows: int) -> Inputs:
    rows = table.num_rows
    check_rows(rows, max_rows)
    if not rows:
        raise MalformedError("the body has no row")
    table = _completed(_checked(table, schema), schema)
    numbers = stacked(_read(_numbers, table, schema, schema.numeric), len(schema.numeric), rows, np.float64)
    categories = stacked(_read(_texts, table, schema, schema.text), len(schema.text), rows, object)
    return schema.checked(numbers, categories, rows)


def _read(
    read: Callable[[Any, str], Array], table: Any, schema: FeatureSchema, places: Iterable[int]
) -> Iterator[Array]:
    for name in (schema.names[place] for place in places):
        yield read(table.column(name), name)


def _check_names(names: list[str], schema: FeatureSchema) -> None:
    if missing := [each["name"] for each in schema.features if each["name"] not in names and not each["nullable"]]:
        raise SchemaError(f"there is no column {missing[0]!r}; the features are {', '.join(schema.names[:20])}")
    if twice := [name for name in schema.names if names.count(name) > 1]:
        raise SchemaError(f"there are several columns {twice[0]!r}")


def _checked(table: Any, schema: FeatureSchema) -> Any:
    """The features' columns, their offsets, dictionary places and UTF-8 looked through: a client can write anything there."""
    try:
        names = table.column_names
        _check_names(names, schema)
        table = table.select([name for name in schema.names if name in names])
        table.validate(full=True)
    except ValueError as error:  # ArrowInvalid and UnicodeDecodeError are such
        raise MalformedError("the columns are not what the body's own schema says") from error
    return table


def _check_unpacked(metadata: Any, max_bytes: int) -> None:
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > max_bytes:
        raise TooLargeError(f"the Parquet file unpacks to more than {max_bytes} bytes")


def _refuse_compressed(content: bytes) -> None:
    """Compressed buffers would unpack to any size before their rows can be counted.

    A message's head is a flatbuffer: Message.header (slot 2) of the type in slot 1, which is 3 for a RecordBatch or 2 for a
    DictionaryBatch around one (slot 1). RecordBatch.compression is slot 3. Source: Arrow's format/Message.fbs.
    """
    for message in _pyarrow().ipc.MessageReader.open_stream(content):
        head = message.metadata.to_pybytes()
        table = _pointed(head, 0)
        kind = _slot(head, table, 1)
        batch = _slot(head, table, 2)
        if not (kind and batch and head[kind] in {2, 3}):
            continue
        batch = _pointed(head, batch)
        if head[kind] == 2 and (inner := _slot(head, batch, 1)):
            batch = _pointed(head, inner)
        if _slot(head, batch, 3):
            raise UnsupportedError("the Arrow buffers are compressed: send them plain, with Content-Encoding: gzip")


def _pointed(head: bytes, place: int) -> int:
    offset: int = struct.unpack_from("<I", head, place)[0]
    return place + offset


def _slot(head: bytes, table: int, number: int) -> int:
    """The place of a flatbuffer table's field; 0 if it is not set."""
    fields = table - int(struct.unpack_from("<i", head, table)[0])
    size, entry = struct.unpack_from("<H", head, fields)[0], 4 + 2 * number
    offset: int = struct.unpack_from("<H", head, fields + entry)[0] if entry < size else 0
    return table + offset if offset else 0


def _completed(table: Any, schema: FeatureSchema) -> Any:
    """With a column of nulls for each feature that may be null and is not there."""
    names = table.column_names
    for name in schema.names:
        if name not in names:
            table = table.append_column(name, _pyarrow().nulls(table.num_rows))
    return table


def _numbers(column: Any, name: str) -> Array:
    """float64, NaN for null."""
    arrow = _pyarrow()
    kind = column.type
    if arrow.types.is_null(kind):
        return np.full(len(column), np.nan)
    if not (arrow.types.is_integer(kind) or arrow.types.is_floating(kind) or arrow.types.is_boolean(kind)):
        raise SchemaError(f"column {name}: found {kind}, allowed: numbers or booleans")
    return (
        column.cast(arrow.float64(), safe=False).to_numpy(zero_copy_only=False) if column.null_count else _plain(column)
    )


def _plain(column: Any) -> Array:
    array: Array = column.to_numpy()
    return array


def _texts(column: Any, name: str) -> Array:
    arrow = _pyarrow()
    if arrow.types.is_dictionary(column.type):
        return np.concatenate([_by_place(part, _texts(part.dictionary, name)) for part in column.chunks])
    if arrow.types.is_null(column.type):
        return np.full(len(column), "", dtype=object)
    if not (arrow.types.is_string(column.type) or arrow.types.is_large_string(column.type)):
        raise SchemaError(f"column {name}: found {column.type}, allowed: text")
    if column.null_count:
        column = column.fill_null("")
    if len(column) < SOME_ROWS:
        return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    # Each different text is made once, not once a row.
    encoded = column.dictionary_encode().combine_chunks()
    texts = np.array([*encoded.dictionary.to_pylist(), ""], dtype=object)
    return texts[encoded.indices.to_numpy()]  # type: ignore[no-any-return]


def _by_place(part: Any, texts: Array) -> Array:
    """A dictionary array's values, the rows of one place sharing one text."""
    places = part.indices.cast(_pyarrow().int64()).fill_null(len(texts)).to_numpy()
    found: Array = np.append(texts, "")[places]
    return found


def _pyarrow() -> Any:
    try:
        import pyarrow as arrow
        import pyarrow.ipc
    except ImportError as error:
        raise UnsupportedError("this server was built without pyarrow: send JSON, CSV or .npy") from error
    return arrow
