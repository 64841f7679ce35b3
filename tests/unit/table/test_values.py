from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from slipway.table.values import NULL_SPELLINGS, are_whole, booleans, numbers, texts


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), (" 5\t", 5), ("+5", 5), ("5.", 5), (".5", 0.5), ("-1e-3", -0.001), ("1e400", math.inf)],
)
def test_what_is_a_number(text: str, value: float) -> None:
    found = numbers(pa.array([text]))
    assert (found.values.tolist(), len(found.nulls), len(found.bad)) == ([value], 0, 0)


@pytest.mark.parametrize(
    "text", ["inf", "Infinity", "NAN", "-nan", "0x1F", "1_000", "1,5", "\u0665", "5e", "--1", "true"]
)
def test_what_is_no_number(text: str) -> None:
    found = numbers(pa.array(["1", text]))
    assert found.bad.tolist() == [1]


@pytest.mark.parametrize("text", ["", "  ", None, *NULL_SPELLINGS])
def test_what_is_null_among_numbers(text: str | None) -> None:
    found = numbers(pa.array(["1", text], pa.string()))
    assert (found.nulls.tolist(), found.bad.tolist()) == ([1], [])


def test_nulls_and_broken_values_in_one_column() -> None:
    found = numbers(pa.array(["1", "", "x", "NA", "2"]))
    assert (found.nulls.tolist(), found.bad.tolist()) == ([1, 3], [2])
    assert found.values[[0, 4]].tolist() == [1, 2]


@pytest.mark.parametrize("array", [pa.array([1, None], pa.uint8()), pa.array([1.0, math.nan])])
def test_typed_numbers(array: Any) -> None:
    found = numbers(array)
    assert (found.values[0], found.nulls.tolist()) == (1, [1])


def test_a_boolean_is_no_number() -> None:
    assert numbers(pa.array([True, None])).bad.tolist() == [0]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([True, False, None]),
        pa.array(["TRUE", "false", "NA"]),
        pa.array([1, 0, None]),
        pa.array(["1", "0", ""]),
    ],
)
def test_what_is_a_boolean(array: Any) -> None:
    found = booleans(array)
    assert (found.values[:2].tolist(), found.nulls.tolist(), found.bad.tolist()) == ([1, 0], [2], [])


@pytest.mark.parametrize("array", [pa.array(["yes"]), pa.array([2]), pa.array([[1]])])
def test_what_is_no_boolean(array: Any) -> None:
    assert booleans(array).bad.tolist() == [0]


def test_digits_are_no_booleans_when_guessing() -> None:
    assert booleans(pa.array(["1"]), digits=False).bad.tolist() == [0]
    assert booleans(pa.array([1]), digits=False).bad.tolist() == [0]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array(["x", None, "NA"]), ["x", "", "NA"]),
        (pa.array([5, None]), ["5", ""]),
        (pa.array([1.5, math.nan]), ["1.5", ""]),
        (pa.array([True, None]), ["true", ""]),
        (pa.array([None, None]), ["", ""]),
    ],
)
def test_texts(array: Any, expected: list[str]) -> None:
    assert texts(array).to_pylist() == expected


@pytest.mark.parametrize(
    ("array", "whole"),
    [
        (pa.array(["1", "NA", ""]), True),
        (pa.array(["+1", str(2**70)]), True),
        (pa.array(["1.0"]), False),
        (pa.array([1.0]), False),
    ],
)
def test_whole_numbers_by_their_spelling(array: Any, whole: bool) -> None:
    assert are_whole(array) is whole
