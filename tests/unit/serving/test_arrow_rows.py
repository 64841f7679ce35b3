"""Arrow and Parquet bodies: offsets, places and sizes that lie, and small bodies that unpack to large ones."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from model_server.bodies import arrow_rows
from model_server.errors import MalformedError, RequestError, SchemaError, TooLargeError, UnsupportedError
from model_server.schema import FeatureSchema, Inputs
from tests.unit.serving.features import MIXED, NULLABLE, NUMBERS, feature

COLUMNS = {name: [1.0, 2.0] for name in "abcd"}
FLIGHTS: dict[str, Any] = {
    "carrier": ["UA", None],
    "delay": [3, None],
    "tail": ["N1", "N2"],
    "night": [True, False],
    "distance": [1.0, 2.5],
}
FLIGHT_ROWS = [["UA", "N1"], ["", "N2"]]


def stream(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def file(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink, **options)
    return sink.getvalue()


def read(content: bytes, schema: FeatureSchema = NUMBERS) -> Inputs:
    reader = arrow_rows.read_parquet if content.startswith(b"PAR1") else arrow_rows.read_stream
    return reader(content, schema, 100)


@pytest.mark.parametrize("write", [stream, file])
def test_columns_are_found_by_name_and_may_be_more(write: Any) -> None:
    inputs = read(write(pa.table({"z": ["?", "?"], **dict(reversed(COLUMNS.items()))})))
    assert inputs.numbers is not None
    assert inputs.numbers.tolist() == [[1.0] * 4, [2.0] * 4]


@pytest.mark.parametrize("write", [stream, file])
@pytest.mark.parametrize("texts", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())], ids=str)
def test_text_in_every_encoding(write: Any, texts: pa.DataType) -> None:
    columns = {
        name: pa.array(FLIGHTS[name], texts) if name in {"carrier", "tail"} else FLIGHTS[name] for name in FLIGHTS
    }
    inputs = read(write(pa.table(columns)), MIXED)
    assert inputs.categories is not None
    assert inputs.categories.tolist() == FLIGHT_ROWS
    assert str(None if inputs.numbers is None else inputs.numbers.tolist()) == "[[3.0, 1.0, 1.0], [nan, 0.0, 2.5]]"


def test_several_batches_with_dictionaries_of_their_own() -> None:
    parts = [pa.table({**FLIGHTS, "tail": pa.array(tails).dictionary_encode()}) for tails in (["x", "y"], ["y", "z"])]
    inputs = read(stream(pa.concat_tables(parts)), MIXED)
    assert inputs.categories is not None
    assert inputs.categories[:, 1].tolist() == ["x", "y", "y", "z"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2**60 + 1, None]),
        pa.array([2**63 + 1, None], pa.uint64()),
        pa.array([np.float16(1), None], pa.float16()),
        pa.array([True, None]),
        pa.nulls(2),
        pa.array([1, 2], pa.uint8()),
    ],
    ids=lambda column: str(column.type),
)
@pytest.mark.parametrize("write", [stream, file])
def test_nulls_in_every_type_of_number(write: Any, column: pa.Array) -> None:
    numbers = read(write(pa.table({**COLUMNS, "a": column})), NULLABLE).numbers
    assert numbers is not None
    assert np.isnan(numbers[1, 0]) == (column[1].as_py() is None)


@pytest.mark.parametrize("write", [stream, file])
def test_columns_may_be_left_out_where_null_is_allowed(write: Any) -> None:
    columns = {name: FLIGHTS[name] for name in ("night", "distance", "tail")}
    inputs = read(write(pa.table(columns)), MIXED)
    assert inputs.categories is not None
    assert inputs.categories.tolist() == [["", "N1"], ["", "N2"]]
    with pytest.raises(SchemaError, match="there is no column 'tail'"):
        read(write(pa.table({name: FLIGHTS[name] for name in ("carrier", "night", "distance")})), MIXED)


def test_a_category_of_nulls_alone_has_no_type() -> None:
    inputs = read(stream(pa.table({**FLIGHTS, "carrier": pa.nulls(2)})), MIXED)
    assert inputs.categories is not None
    assert inputs.categories[:, 0].tolist() == ["", ""]


@pytest.mark.parametrize("write", [stream, file])
@pytest.mark.parametrize(
    ("table", "error", "text"),
    [
        (pa.table({"a": [1.0]}), SchemaError, "there is no column 'b'"),
        (pa.table({**COLUMNS, "a": ["1", "2"]}), SchemaError, "column a: found string, allowed: numbers or booleans"),
        (pa.table({**COLUMNS, "a": [1.0, float("nan")]}), SchemaError, "row 2: a: found None, allowed: not null"),
        (pa.table({**COLUMNS, "a": [1.0, float("inf")]}), SchemaError, "row 2: a: found inf"),
        (pa.table({**COLUMNS, "a": [[1.0], [2.0]]}), SchemaError, "column a: found list"),
        (pa.table({name: np.zeros(101) for name in "abcd"}), TooLargeError, "101 rows in one request, allowed: 100"),
        (pa.table({name: pa.array([], pa.float64()) for name in "abcd"}), MalformedError, "the body has no row"),
        (
            pa.Table.from_arrays([pa.array([1.0])] * 5, names=list("aabcd")),
            SchemaError,
            "there are several columns 'a'",
        ),
    ],
    ids=range(8),
)
def test_what_is_refused(write: Any, table: pa.Table, error: type[RequestError], text: str) -> None:
    with pytest.raises(error, match=text):
        read(write(table))


def test_a_text_is_no_number_for_a_category() -> None:
    for write in (stream, file):
        with pytest.raises(SchemaError, match="column tail: found int64, allowed: text"):
            read(write(pa.table({**FLIGHTS, "tail": [1, 2]})), MIXED)
        with pytest.raises(SchemaError, match="column tail: found struct"):
            read(write(pa.table({**FLIGHTS, "tail": [{"x": "1"}, {"x": "2"}]})), MIXED)


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
@pytest.mark.parametrize("table", [{**COLUMNS}, {name: pa.array(["x", "y"]).dictionary_encode() for name in "abcd"}])
def test_compressed_buffers_are_refused_before_they_unpack(compression: str, table: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match="the Arrow buffers are compressed"):
        read(stream(pa.table(table), compression=compression))


@pytest.mark.parametrize("write", [stream, file])
def test_one_long_text_in_a_dictionary_is_not_copied_for_every_row(write: Any) -> None:
    rows = 50_000
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * 1_000_000]))  # 50 GB
    inputs = (arrow_rows.read_parquet if write is file else arrow_rows.read_stream)(
        write(pa.table({"t": long})), FeatureSchema([feature("t", "category")]), rows
    )
    assert inputs.categories is not None
    assert inputs.categories[0, 0] is inputs.categories[-1, 0]


def test_a_parquet_file_that_unpacks_to_too_much_is_refused_by_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_rows, "UNPACKED_BYTES", 1_000_000)
    texts = pa.array([f"{number:>100000}" for number in range(50)])
    content = file(pa.table({"t": texts}), compression="zstd")
    assert len(content) < 100_000
    with pytest.raises(TooLargeError, match="the Parquet file unpacks to more than 1000000 bytes"):
        read(content, FeatureSchema([feature("t", "category")]))


def test_offsets_that_point_outside_the_body_are_not_followed() -> None:
    content = stream(pa.table({**FLIGHTS, "tail": ["abcd", "efgh"]}))
    true, lying = (np.array([0, 4, end], "<i4").tobytes() for end in (8, 1 << 20))
    assert content.count(true) == 1
    with pytest.raises(MalformedError, match="not what the body's own schema says"):
        read(content.replace(true, lying), MIXED)


def test_places_outside_a_dictionary_are_not_followed() -> None:
    lying = pa.DictionaryArray.from_arrays(pa.array([0, 1 << 20], pa.int32()), pa.array(["x"]), safe=False)
    with pytest.raises(MalformedError):
        read(stream(pa.table({**FLIGHTS, "tail": lying})), MIXED)


def test_text_that_is_no_utf_8() -> None:
    lying = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], "<i4")), pa.py_buffer(b"\xff\xfe")]
    )
    for write in (stream, file):
        with pytest.raises(MalformedError):
            read(write(pa.table({**FLIGHTS, "tail": lying})), MIXED)


GOOD = [(stream(pa.table(COLUMNS)), NUMBERS), (file(pa.table(COLUMNS)), NUMBERS), (stream(pa.table(FLIGHTS)), MIXED)]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_any_flipped_byte_is_at_most_refused(good: tuple[bytes, FeatureSchema], data: st.DataObject) -> None:
    content = bytearray(good[0])
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        arrow_rows.read_stream(bytes(content), good[1], 100)
        arrow_rows.read_parquet(bytes(content), good[1], 100)
    except RequestError as error:
        assert error.status in {400, 413, 415, 422}  # noqa: PT017  refusing is one of two good ends


@pytest.mark.parametrize("cut", [0, 1, 4, 8, 100, -1, -9])
def test_any_cut_is_refused(cut: int) -> None:
    for content, schema in GOOD:
        if cut == -9 and content.startswith(b"\xff"):
            continue  # the end mark of a stream may be left out
        with pytest.raises(RequestError):
            read(content[:cut] or b"PAR1", schema)
