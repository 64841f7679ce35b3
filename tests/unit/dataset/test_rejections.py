"""Every rejection text, whole."""

# ruff: noqa: E501  a text cut in two cannot be searched for

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from slipway.core.column import Column, Schema
from slipway.core.errors import RejectedError
from slipway.core.model_file import Dataset
from slipway.dataset.rules import Rules
from slipway.dataset.validation import Validated, validate

GOOD = "x,c,y\n1.5,red,0\n2,blue,1\n3,red,0\n"
CHAMPION = Schema(
    features=(
        Column(name="x", type="number", minimum=0, maximum=10),
        Column(name="c", type="category", categories=("red", "blue")),
    ),
    target=Column(name="y", type="integer"),
)


def check(
    tmp_path: Path, data: str | bytes, *, task: str | None = None, champion: Schema | None = None, **section: Any
) -> Validated:
    name = section.pop("name", "a.csv")
    path, spill = tmp_path / name, tmp_path / "spill"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    spill.mkdir()
    dataset = Dataset.model_validate({"uri": "inbox/a.csv", "target": "y", **section})
    rules = Rules(dataset, task, champion, "release 3" if champion else "")
    return validate(path, rules, uri="inbox/a.csv", work_dir=spill)


def findings(tmp_path: Path, data: str | bytes, **section: Any) -> list[str]:
    with pytest.raises(RejectedError) as caught:
        check(tmp_path, data, **section)
    return [line.strip() for line in str(caught.value).splitlines()[1:-1]]


def test_the_whole_text(tmp_path: Path) -> None:
    with pytest.raises(RejectedError) as caught:
        check(tmp_path, "x,y\n1,0\n,1\nabc,\n", columns={"x": {"type": "number"}})
    assert str(caught.value) == (
        "could not accept the dataset: inbox/a.csv: 3 rules are broken, nothing was stored:\n"
        "  x: type: found 'abc' in row 3, allowed: a number (from the model file)\n"
        "  x: nullable: found '' in row 2, allowed: a value; `nullable: true` would allow null (from the model file)\n"
        "  y: nullable: found '' in row 3, allowed: a value; the target is never null (from what training needs)\n"
        "Rows are counted from 1 without the header. Correct the data at its source, or the rule that is named."
    )


DECLARED = [
    ("number", {"type": "number"}, "abc", "x: type: found 'abc' in row 2, allowed: a number (from the model file)"),
    ("integer", {"type": "integer"}, "1.5", "x: type: found '1.5' in row 2, allowed: an integer (from the model file)"),
    ("boolean", {"type": "boolean"}, "yes", "x: type: found 'yes' in row 2, allowed: true or false (from the model file)"),
    ("minimum", {"minimum": 0}, "-3", "x: minimum: found '-3' in row 2, allowed: at least 0 (from the model file)"),
    ("maximum", {"maximum": 5}, "6", "x: maximum: found '6' in row 2, allowed: at most 5 (from the model file)"),
    ("range is a number", {"minimum": 0}, "abc", "x: type: found 'abc' in row 2, allowed: a number (from the model file)"),
    ("categories", {"categories": ["1", "0"]}, "2", "x: categories: found '2' in row 2, allowed: one of 0, 1 (from the model file)"),
    ("float32", {"type": "number"}, "1e39", "x: size: found '1e39' in row 2, allowed: what a 32-bit float holds, up to 3.4e38 (from what training needs)"),
    ("infinity", {"type": "number"}, "inf", "x: type: found 'inf' in row 2, allowed: a number (from the model file)"),
    ("null spelling", {"type": "number"}, "N/A", "x: nullable: found 'N/A' in row 2, allowed: a value; `nullable: true` would allow null (from the model file)"),
    ("long value", {"type": "number"}, "a" * 60, f"x: type: found '{'a' * 37}...' in row 2, allowed: a number (from the model file)"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "value", "text"), [case[1:] for case in DECLARED], ids=[case[0] for case in DECLARED])
def test_a_declared_column(tmp_path: Path, rule: dict[str, Any], value: str, text: str) -> None:
    assert findings(tmp_path, f"x,y\n1,0\n{value},1\n", columns={"x": rule}) == [text]


def test_many_rows_are_counted_and_five_are_named(tmp_path: Path) -> None:
    data = "x,y\n" + "".join(f"{number % 2 or 'abc'},{number % 3}\n" for number in range(1, 40_001))
    assert findings(tmp_path, data, columns={"x": {"type": "number"}}) == [
        "x: type: found 'abc' in 20000 rows (2, 4, 6, 8, 10, ...), allowed: a number (from the model file)"
    ]


def test_null_in_an_undeclared_column(tmp_path: Path) -> None:
    assert findings(tmp_path, "x,c,y\n1,,0\nNA,b,1\n") == [
        (
            "x: nullable: found 'NA' in row 2, allowed: a value; `nullable: true` would allow null "
            "(from the model file, which declares nothing for it)"
        ),
        (
            "c: nullable: found '' in row 1, allowed: a value; `nullable: true` would allow null "
            "(from the model file, which declares nothing for it)"
        ),
    ]


def test_a_target_may_not_be_null_even_if_declared_so(tmp_path: Path) -> None:
    assert findings(tmp_path, "x,y\n1,a\n2,\n3,b\n", columns={"y": {"nullable": True}}) == [
        "y: nullable: found '' in row 2, allowed: a value; the target is never null (from what training needs)"
    ]


@pytest.mark.parametrize(
    ("values", "shown"),
    [(("1", "1.0"), "1"), (("a", "a"), "'a'"), (("True", "true"), "true"), (("0.5", ".5"), "0.5")],
)
def test_a_target_that_never_varies(tmp_path: Path, values: tuple[str, str], shown: str) -> None:
    assert findings(tmp_path, f"x,y\n1,{values[0]}\n2,{values[1]}\n") == [
        f"y: one class: found only the value {shown}, allowed: a target that varies (from what training needs)"
    ]


def test_regression_wants_numbers(tmp_path: Path) -> None:
    assert findings(tmp_path, "x,y\n1,a\n2,b\n", task="regression") == [
        "y: task: found a category, allowed: numbers, because train.task is regression (from the model file)"
    ]
    (tmp_path / "spill").rmdir()
    assert check(tmp_path, "x,y\n1,a\n2,b\n", task="classification").rows == 2


@pytest.mark.parametrize("values", [",\n,", "NA,\n,"], ids=["empty", "spelled"])
def test_a_column_without_any_value(tmp_path: Path, values: str) -> None:
    first, second = (line.split(",")[0] for line in values.split("\n"))
    assert findings(tmp_path, f"x,z,y\n{first},1,0\n{second},2,1\n", columns={"x": {"nullable": True}}) == [
        (
            "x: all null: found no value in any row, allowed: a value somewhere; `drop` the column or declare its `type` "
            "(from what training needs)"
        )
    ]


def test_an_identifier(tmp_path: Path) -> None:
    data = "x,id,y\n" + "".join(f"1,k{number},{number % 2}\n" for number in range(2000))
    assert findings(tmp_path, data) == [
        (
            "id: identifier: found 2000 distinct values in 2000 rows, allowed: values that repeat; it looks like an "
            "identifier or free text: `drop` it or declare it `type: category` (from what training needs)"
        )
    ]


def test_an_integer_too_large_for_a_float(tmp_path: Path) -> None:
    assert findings(tmp_path, f"x,y\n{2**60},0\n1,1\n") == [
        (
            "x: size: found integers from 1 to 1152921504606846976, allowed: up to 2**53; `drop` an identifier or declare it "
            "a category (from what training needs)"
        )
    ]


def test_names_that_are_not_there(tmp_path: Path) -> None:
    assert findings(tmp_path, "x,c\n1,a\n", columns={"age": {"type": "number"}}, drop=["id"]) == [
        "y: target: found no such column among x, c, allowed: the target column (from the model file)",
        "age: declared: found no such column among x, c, allowed: the column that `columns` declares (from the model file)",
        "id: drop: found no such column among x, c, allowed: the column that `drop` names (from the model file)",
    ]


def test_repeated_names(tmp_path: Path) -> None:
    assert findings(tmp_path, "x,x,y\n1,2,0\n") == [
        "x: header: found 2 columns of this name, allowed: one (from the file format)"
    ]


def test_a_column_without_a_name(tmp_path: Path) -> None:
    assert findings(tmp_path, ",x,y\n1,2,0\n2,3,1\n") == [
        "column 1: header: found no name, allowed: a name for every column that is not dropped (from the file format)"
    ]


def test_a_dropped_column_needs_no_name(tmp_path: Path) -> None:
    assert check(tmp_path, ",x,y\n1,2,0\n2,3,1\n", drop=[""]).rows == 2


def test_no_feature(tmp_path: Path) -> None:
    assert findings(tmp_path, "x,y\n1,0\n2,1\n", drop=["x"]) == [
        "file: features: found no column but the target and dropped ones, allowed: at least one feature (from what training needs)"
    ]


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.csv", b"", "file: empty: found nothing in it, allowed: at least one row (from what training needs)"),
        ("a.jsonl", b"\n", "file: empty: found nothing in it, allowed: at least one row (from what training needs)"),
        ("a.csv", b"x,y\n", "file: empty: found no row, allowed: at least one row (from what training needs)"),
        ("a.csv", b"x,y\n1\n2,1\n3,0\n4,5,6\n", "file: row length: found 1 values in '1' in 2 rows (1, 4), allowed: 2 values (from the file format)"),
        ("a.csv", b"x,y\n1,0\n2,1\n3,\xe9\n", "file: encoding: found byte 0xe9 at offset 14, line 4, allowed: UTF-8 (from the file format)"),
        ("a.csv", b"x,\xe9\n1,0\n", "file: encoding: found byte 0xe9 at offset 2, line 1, allowed: UTF-8 (from the file format)"),
        ("a.csv", b'x,y\n1,0\n2,"1\n3,0\n', "file: quotes: found a quoted value that does not end, or a row over 1048576 bytes, allowed: closed quotes, shorter rows (from the file format)"),
        ("a.csv", b"x,y\r1,0\r", "file: header: found no header line (new-line character seen in unquoted field - do you need to open the file in universal-newline mode?), allowed: one line of column names (from the file format)"),
        ("a.jsonl", b'{"x": 1, "y": 0}\n{"x": 2, "y": 1}\nx\n', "file: JSON: found 'x' in row 3, allowed: one JSON object per line (from the file format)"),
        ("a.jsonl", b'{"x": 1, "y": 0}\n{"x": 1, "y": 1}\n' * 2500 + b'{"z": 1}\n', "file: keys: found the new key 'z' in row 5001, allowed: a key of the first 4096 rows (from the file format)"),
        ("a.csv.gz", b"x,y\n", "file: file: found a damaged file (\"Not a gzipped file (b'x,')\"), allowed: a whole, readable file (from the file format)"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table(tmp_path: Path, name: str, data: bytes, text: str) -> None:
    assert findings(tmp_path, data, name=name) == [text]


def test_a_thousand_broken_rows(tmp_path: Path) -> None:
    assert findings(tmp_path, "x,y\n" + "1\n" * 2000) == [
        "file: file: found 1000 broken rows; reading stopped there, allowed: a table (from the file format)",
        "file: row length: found 1 values in '1' in 1000 rows (1, 2, 3, 4, 5, ...), allowed: 2 values (from the file format)",
    ]


def test_a_nested_column(tmp_path: Path) -> None:
    data = b'{"x": [1, 2], "y": 0}\n{"x": [3], "y": 1}\n'
    text = "x: type: found [1, 2] in 2 rows (1, 2), allowed: text (from the model file, which declares nothing for it)"
    assert findings(tmp_path, data, name="a.jsonl") == [text]


def test_duplicates(tmp_path: Path) -> None:
    data = "x,c,y\n1,a,0\n2,a,1\n1,a,0\n1,b,0\n1,a,0\n"
    assert findings(tmp_path, data, duplicates="reject") == [
        (
            "file: duplicates: found a repetition of row 1 in 2 rows (3, 5), allowed: every row once; `duplicates: allow` would "
            "keep them (from the model file)"
        )
    ]


CHANGED = [
    ("range", GOOD.replace("3,red", "11,red"), "x: maximum: found '11' in row 3, allowed: at most 10"),
    ("type", GOOD.replace("1.5", "one"), "x: type: found 'one' in row 1, allowed: a number"),
    ("null", GOOD.replace("1.5", ""), "x: nullable: found '' in row 1, allowed: a value; `nullable: true` would allow null"),
    ("categories", GOOD.replace("blue", "pink"), "c: categories: found 'pink' in row 2, allowed: one of blue, red"),
    ("target type", GOOD.replace("blue,1", "blue,no") + "4,red,1\n", "y: type: found 'no' in row 2, allowed: an integer"),
    ("missing", "x,y\n1,0\n2,1\n", "c: columns: found no such column among x, allowed: the champion's feature"),
    ("added", GOOD.replace("c,y", "c,y,z").replace("0\n", "0,5\n").replace("1\n", "1,6\n"), "z: columns: found a column the champion does not know, allowed: only the champion's features; declare it under `columns` to add it, or `drop` it"),
    ("order", "c,x,y\nred,1,0\nblue,2,1\n", "c: order: found c, x, allowed: x, c, in this order"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "text"), [case[1:] for case in CHANGED], ids=[case[0] for case in CHANGED])
def test_a_later_partition_that_differs_from_the_champions(tmp_path: Path, data: str, text: str) -> None:
    assert findings(tmp_path, data, champion=CHAMPION) == [f"{text} (from the champion's schema, release 3)"]


def test_a_later_partition_like_the_champions_gets_its_schema(tmp_path: Path) -> None:
    assert check(tmp_path, GOOD, champion=CHAMPION).schema == CHAMPION


@pytest.mark.parametrize(
    ("data", "section", "features"),
    [
        (GOOD.replace("3,red", "11,red"), {"columns": {"x": {"maximum": 20}}}, ["x", "c"]),
        ("x,y\n1,0\n2,1\n", {"columns": {"x": {}}, "drop": ["c"]}, None),
        ("x,c,z,y\n1,red,7,0\n2,red,8,1\n", {"columns": {"z": {}}}, ["x", "c", "z"]),
        (GOOD, {"drop": ["c"]}, ["x"]),
    ],
    ids=["wider range", "dropped but absent", "new column", "dropped"],
)
def test_the_model_file_overrules_the_champion(
    tmp_path: Path, data: str, section: dict[str, Any], features: list[str] | None
) -> None:
    if features is None:
        assert findings(tmp_path, data, champion=CHAMPION, **section) == [
            "c: drop: found no such column among x, y, allowed: the column that `drop` names (from the model file)"
        ]
    else:
        found = check(tmp_path, data, champion=CHAMPION, **section).schema
        assert [column.name for column in found.features] == features


def test_a_declaration_without_a_type_keeps_the_champions_type(tmp_path: Path) -> None:
    found = findings(tmp_path, GOOD.replace("1.5", "one"), champion=CHAMPION, columns={"x": {"nullable": True}})
    assert found == ["x: type: found 'one' in row 1, allowed: a number (from the champion's schema, release 3)"]


def test_json_lines_have_no_order_and_take_the_champions(tmp_path: Path) -> None:
    data = b'{"y": 0, "c": "red", "x": 1}\n{"y": 1, "c": "blue", "x": 2}\n'
    assert check(tmp_path, data, champion=CHAMPION, name="a.jsonl").schema == CHAMPION


def test_duplicate_rows_in_parquet(tmp_path: Path) -> None:
    pa_parquet.write_table(pa.table({"x": [1.0, None, None], "y": [0, 1, 1]}), tmp_path / "b.parquet")
    found = findings(
        tmp_path,
        (tmp_path / "b.parquet").read_bytes(),
        name="a.parquet",
        duplicates="reject",
        columns={"x": {"nullable": True}},
    )
    assert [line.split(", allowed")[0] for line in found] == ["file: duplicates: found a repetition of row 2 in row 3"]
