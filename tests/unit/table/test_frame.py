from __future__ import annotations

import csv
import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway.core.column import Column, Schema
from slipway.core.errors import RejectedError
from slipway.table.frame import read_frame

SCHEMA = Schema(
    features=(
        Column(name="colour", type="category", nullable=True),
        Column(name="size", type="number", nullable=True),
        Column(name="count", type="integer", nullable=True),
        Column(name="new", type="boolean", nullable=True),
    ),
    target=Column(name="kind", type="category"),
)
TYPES = {"colour": pa.string(), "size": pa.float64(), "count": pa.int64(), "new": pa.bool_(), "kind": pa.string()}

Row = dict[str, Any]
# No surrogates (not UTF-8), no NUL, no carriage return (readers may fold line ends), and no "" since that is null.
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=8)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "colour": st.none() | words,
            "size": st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
            "count": st.none() | st.integers(-(2**53), 2**53),
            "new": st.none() | st.booleans(),
            "kind": words,
        }
    ),
    min_size=1,
    max_size=20,
)


def write_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(TYPES), lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)


def write_json_lines(path: Path, rows: list[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_parquet(path: Path, rows: list[Row]) -> None:
    pa_parquet.write_table(pa.Table.from_pylist(rows, pa.schema(TYPES)), path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows)
def test_the_same_rows_give_the_same_frame_in_every_format(tmp_path: Path, rows: list[Row]) -> None:
    write_csv(tmp_path / "a.csv", rows)
    write_json_lines(tmp_path / "a.jsonl", rows)
    write_parquet(tmp_path / "a.parquet", rows)
    features, target = read_frame(tmp_path / "a.csv", SCHEMA)
    for other in ("a.jsonl", "a.parquet"):
        found, found_target = read_frame(tmp_path / other, SCHEMA)
        pd.testing.assert_frame_equal(found, features, check_exact=True)
        pd.testing.assert_series_equal(found_target, target)
    assert target.tolist() == [row["kind"] for row in rows]
    assert features["colour"].tolist() == [row["colour"] or "" for row in rows]
    for name in ("size", "count", "new"):
        wanted = [math.nan if row[name] is None else float32(row[name]) for row in rows]
        np.testing.assert_array_equal(features[name].to_numpy(), np.array(wanted))


def float32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def test_the_types_are_those_of_serving(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("new,count,size,colour,kind\ntrue,3,0.1,NA,a\n,NA,,,b\n")
    features, target = read_frame(tmp_path / "a.csv", SCHEMA)
    assert features.columns.tolist() == ["colour", "size", "count", "new"]
    assert [str(dtype) for dtype in features.dtypes] == ["object", "float64", "float64", "float64"]
    assert features["colour"].tolist() == ["NA", ""]
    assert features.loc[0, ["size", "count", "new"]].tolist() == [float(np.float32(0.1)), 3, 1]
    assert features.loc[1, ["size", "count", "new"]].isna().all()
    assert (target.dtype, target.name) == (object, "kind")


@pytest.mark.parametrize(
    ("kind", "texts", "values"),
    [
        ("integer", ("1", "9007199254740991"), [1, 9007199254740991]),
        ("boolean", ("True", "false"), [True, False]),
        ("number", ("0.1", "2"), [0.1, 2.0]),
        ("category", ("1", "x"), ["1", "x"]),
    ],
)
def test_the_target_holds_python_values(tmp_path: Path, kind: Any, texts: tuple[str, str], values: list[Any]) -> None:
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"1,{text}\n" for text in texts))
    schema = Schema(features=(Column(name="x", type="number"),), target=Column(name="y", type=kind))
    found = read_frame(tmp_path / "a.csv", schema)[1].tolist()
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize("positions", [[], [0], [3, 70_000, 99_999], list(range(0, 100_000, 777))])
def test_only_some_rows(tmp_path: Path, positions: list[int]) -> None:
    text = "x,y\n" + "".join(f"{number},k{number % 3}\n" for number in range(100_000))
    (tmp_path / "a.csv").write_text(text)
    schema = Schema(features=(Column(name="x", type="integer"),), target=Column(name="y", type="category"))
    features, target = read_frame(tmp_path / "a.csv", schema, np.array(positions, np.int64))
    assert features["x"].tolist() == positions
    assert target.tolist() == [f"k{position % 3}" for position in positions]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x,y\nabc,1\n", r"x: found 'abc' in row 1, allowed: number"),
        ("x,y\n1,\n", r"y: found '' in row 1, allowed: integer"),
        ("x,y\n1,1.5\n", r"y: found '1\.5' in row 1, allowed: integer"),
        ("x,z\n1,1\n", r"found no column 'y' among x, z"),
        ("x,y\n1\n", r"row length: found 1 values in '1'"),
    ],
)
def test_a_file_that_does_not_fit_the_schema_is_rejected(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    schema = Schema(features=(Column(name="x", type="number"),), target=Column(name="y", type="integer"))
    with pytest.raises(RejectedError, match=why):
        read_frame(tmp_path / "a.csv", schema)
