from __future__ import annotations

from pathlib import Path

import pytest

from slipway.core.errors import RejectedError
from slipway.core.model_file import Dataset
from slipway.dataset.distinct import DistinctCount
from slipway.dataset.rules import Rules
from slipway.dataset.validation import validate


def inferred(tmp_path: Path, data: str, name: str = "a.csv") -> str:
    """The type of the column x."""
    path, spill = tmp_path / name, tmp_path / "spill"
    path.write_text(data)
    spill.mkdir()
    dataset = Dataset.model_validate({"uri": name, "target": "y", "columns": {"x": {"nullable": True}}})
    schema = validate(path, Rules(dataset), uri=name, work_dir=spill).schema
    column = schema.feature("x")
    assert column is not None
    return column.type


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["0", "1"], "integer"),
        (["1", "NA", "3"], "integer"),
        (["1", "2.0"], "number"),
        (["1e3", "", "nan"], "number"),
        (["true", "FALSE"], "boolean"),
        (["true", "1"], "category"),
        (["1", "x"], "category"),
        (["NA", "x"], "category"),
        (["", "", "true"], "boolean"),
    ],
)
def test_the_narrowest_type_that_fits_all_values(tmp_path: Path, values: list[str], kind: str) -> None:
    rows = "".join(f"{value},{number}\n" for number, value in enumerate(values))
    assert inferred(tmp_path, "x,y\n" + rows) == kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ('"02139" "02140"', "category"),
        ("1 2", "integer"),
        ("1 2.5", "number"),
        ("true false", "boolean"),
        ('1 "x"', "category"),
    ],
)
def test_json_says_the_type_itself(tmp_path: Path, values: str, kind: str) -> None:
    rows = "".join(f'{{"x": {value}, "y": {number}}}\n' for number, value in enumerate(values.split(" ")))
    assert inferred(tmp_path, rows, "a.jsonl") == kind


def test_a_text_in_the_last_block_makes_a_category(tmp_path: Path) -> None:
    rows = "".join(f"{number % 7},{number % 2}\n" for number in range(600_000))
    assert inferred(tmp_path, f"x,y\n{rows}seven,0\n") == "category"


def test_nulls_before_the_type_is_known_are_counted_once(tmp_path: Path) -> None:
    rows = "".join(f"{number % 7},{number % 2}\n" for number in range(600_000))
    path = tmp_path / "a.csv"
    path.write_text(f"x,y\n,0\n{rows},1\nNA,0\nseven,0\n")
    with pytest.raises(RejectedError, match=r"x: nullable: found '' in 2 rows \(1, 600002\)"):
        validate(path, Rules(Dataset(uri="a.csv", target="y")), uri="a.csv", work_dir=tmp_path)


def test_many_values_that_repeat_are_a_category(tmp_path: Path) -> None:
    rows = "".join(f"k{number % 1500},{number % 2}\n" for number in range(4000))
    assert inferred(tmp_path, "x,y\n" + rows) == "category"


@pytest.mark.parametrize(("count", "error"), [(1, 0), (4095, 0), (300_000, 0.06)])
def test_distinct_values_are_exact_when_few_and_close_when_many(count: int, error: float) -> None:
    import pyarrow as pa

    counted = DistinctCount()
    for begin in range(0, count, 10_000):
        counted.add(pa.array([f"user{number}" for number in range(begin, min(count, begin + 10_000))]))
        counted.add(pa.array(["user0"]))
    assert abs(counted.estimate() - count) <= error * count
