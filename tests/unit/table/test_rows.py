from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from slipway.table.byte_stream import CHUNK_BYTES, find_bad_byte
from slipway.table.rows import MAX_ROW_BYTES, open_table


def read(path: Path, data: bytes) -> tuple[tuple[str, ...], list[tuple[Any, ...]], list[str]]:
    """The columns, the rows with their numbers in front, and the faults as text."""
    path.write_bytes(data)
    table = open_table(path)
    rows = []
    for batch in table.batches():
        columns = [column.to_pylist() for column in batch.columns.values()]
        rows += list(zip(batch.numbers.tolist(), *columns, strict=True))
    return table.columns, rows, [f"{fault.rule} {fault.row}: {fault.found}" for fault in table.faults]


def test_csv_counts_rows_from_one_without_header_and_blank_lines(tmp_path: Path) -> None:
    columns, rows, faults = read(tmp_path / "a.csv", b'\xef\xbb\xbfa,b\r\n1,"x\r\ny"\r\n\r\n3,""\r\n')
    assert (columns, rows, faults) == (("a", "b"), [(1, "1", "x\r\ny"), (2, "3", "")], [])


def test_csv_ragged_rows_are_counted_but_not_read(tmp_path: Path) -> None:
    _, rows, faults = read(tmp_path / "a.csv", b"a,b\n1,2\n3\n4,5\n6,7,8\n9,9\n")
    assert rows == [(1, "1", "2"), (3, "4", "5"), (5, "9", "9")]
    assert faults == ["row length 2: 1 values in '3'", "row length 4: 3 values in '6,7,8'"]


def test_csv_row_numbers_hold_across_blocks(tmp_path: Path) -> None:
    lines = [f"{number},{'x' * 50}" if number % 1000 else str(number) for number in range(1, 60_001)]
    _, rows, faults = read(tmp_path / "a.csv", ("a,b\n" + "\n".join(lines)).encode())
    assert len(rows) == 59_940
    assert len(faults) == 60
    assert all(number == int(value) for number, value, _ in rows)


def test_a_thousand_broken_rows_end_the_reading(tmp_path: Path) -> None:
    _, _, faults = read(tmp_path / "a.csv", b"a,b\n" + b"1\n" * 5000)
    assert len(faults) == 1001
    assert faults[-1] == "file None: 1000 broken rows; reading stopped there"


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_an_empty_csv_has_no_columns(tmp_path: Path, data: bytes) -> None:
    assert read(tmp_path / "a.csv", data) == ((), [], [])


@pytest.mark.parametrize("data", [b"a,b", b"a,b\n", b"a,b\n\n"])
def test_a_header_alone_has_no_rows(tmp_path: Path, data: bytes) -> None:
    assert read(tmp_path / "a.csv", data) == (("a", "b"), [], [])


@pytest.mark.parametrize(
    "data",
    [b'a,b\n1,"2\n3,4\n', b'a,b\n1,2\n3,"4', b'a,b\n1,"' + b"2\n" * MAX_ROW_BYTES],
    ids=["swallows the rest", "cut off", "longer than a block"],
)
def test_a_quote_that_is_never_closed_is_noticed(tmp_path: Path, data: bytes) -> None:
    _, _, faults = read(tmp_path / "a.csv", data)
    assert faults == ["quotes None: a quoted value that does not end, or a row over 1048576 bytes"]


def test_a_quote_inside_a_plain_value_is_a_character(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", b'a,b\n1,12" pipe\n')[1:] == ([(1, "1", '12" pipe')], [])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_wrong_encoding_names_offset_and_line(tmp_path: Path, suffix: str) -> None:
    good = b"a\nx\n" if suffix == ".csv" else b'{"a": "x"}\n\n'
    bad = b"caf\xe9\n" if suffix == ".csv" else b'{"a": "caf\xe9"}\n'
    offset = len(good) + bad.index(b"\xe9")
    _, _, faults = read(tmp_path / f"a{suffix}", good + bad)
    assert faults == [f"encoding None: byte 0xe9 at offset {offset}, line 3"]


def test_a_bad_byte_is_found_behind_a_character_that_lies_across_two_chunks(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"x" * (CHUNK_BYTES - 2) + b"\n" + "é".encode() + b"\n\xff")
    bad = find_bad_byte(path)
    assert bad is not None
    assert (bad.offset, bad.line, bad.value) == (CHUNK_BYTES + 2, 3, 0xFF)


def test_a_damaged_gzip_is_a_fault(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 10)
    assert read(tmp_path / "a.csv.gz", whole)[2] == []
    faults = read(tmp_path / "a.csv.gz", whole[:-4])[2]
    assert faults == ["file None: a damaged file ('Compressed file ended before the end-of-stream marker was reached')"]


def test_json_lines_leave_keys_out_and_mix_types(tmp_path: Path) -> None:
    data = b'{"a": 1, "b": "2020-01-01"}\n\n{"a": 2.5}\n{"b": true, "a": null}\n'
    columns, rows, faults = read(tmp_path / "a.jsonl", data)
    assert (columns, faults) == (("a", "b"), [])
    assert rows == [(1, 1.0, "2020-01-01"), (2, 2.5, None), (3, None, "true")]


def test_json_lines_that_are_no_objects_are_faults(tmp_path: Path) -> None:
    _, rows, faults = read(tmp_path / "a.jsonl", b'{"a": 1}\n[1]\n{"a": NaN}\n{"a": 4}\n')
    assert rows == [(1, 1), (4, 4)]
    assert faults == ["JSON 2: '[1]'", "JSON 3: '{\"a\": NaN}'"]


def test_json_integers_beyond_64_bits_are_numbers(tmp_path: Path) -> None:
    _, rows, faults = read(tmp_path / "a.jsonl", b'{"a": 18446744073709551617}\n{"a": 1}\n')
    assert (rows, faults) == ([(1, 2.0**64), (2, 1.0)], [])


def test_a_key_that_the_first_rows_lack_is_a_fault(tmp_path: Path) -> None:
    _, rows, faults = read(tmp_path / "a.jsonl", b'{"a": 1}\n' * 5000 + b'{"b": 1}\n')
    assert len(rows) == 5000
    assert faults == ["keys 5001: the new key 'b'"]


def test_parquet_comes_typed_and_without_dictionaries(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    words = pa.array(["x", None, "x"]).dictionary_encode()
    pa_parquet.write_table(pa.table({"n": pa.array([1, 2, None], pa.int16()), "w": words}), path, row_group_size=2)
    _, rows, faults = read(path, path.read_bytes())
    assert (rows, faults) == ([(1, 1, "x"), (2, 2, None), (3, None, "x")], [])


def test_a_file_that_is_no_parquet_is_a_fault(tmp_path: Path) -> None:
    columns, _, faults = read(tmp_path / "a.parquet", b"a,b\n1,2\n")
    assert columns == ()
    assert faults[0].startswith("file None: a damaged file ('")
