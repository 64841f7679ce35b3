"""Rows of JSON values against the feature schema: every value is looked at, by whichever way it comes."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.errors import MalformedError, RequestError, SchemaError
from model_server.schema import FeatureSchema
from tests.unit.serving.features import MIXED, NULLABLE, NUMBERS, feature

FLOAT32_MAX = float(np.finfo(np.float32).max)
GOOD = ["UA", 3, "N1", True, 10.5]


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [
        (0, "XX", "row 2: carrier: found 'XX', allowed: one of UA, AA, ÅÄ"),
        (0, "ua", "row 2: carrier: found 'ua', allowed: one of"),
        (0, 1, "row 2: carrier: found 1, allowed: text"),
        (0, ["UA"], "row 2: carrier: found .'UA'., allowed: text"),
        (1, 1.5, "row 2: delay: found 1.5, allowed: a whole number"),
        (1, 1001, "row 2: delay: found 1001, allowed: -60 to 1000"),
        (1, -61, "row 2: delay: found -61, allowed: -60 to 1000"),
        (1, True, "row 2: delay: found True, allowed: a number"),
        (1, "3", "row 2: delay: found '3', allowed: a number"),
        (1, 10**30, "row 2: delay: found 10{30}, allowed: -60 to 1000"),
        (2, None, "row 2: tail: found None, allowed: not null"),
        (2, "", "row 2: tail: found '', allowed: text that is not empty"),
        (2, False, "row 2: tail: found False, allowed: text"),
        (3, 2, "row 2: night: found 2, allowed: true or false"),
        (3, 0.5, "row 2: night: found 0.5, allowed: true or false"),
        (3, None, "row 2: night: found None, allowed: not null"),
        (4, -0.1, "row 2: distance: found -0.1, allowed: 0.0 to 5000.0"),
        (4, {}, "row 2: distance: found {}, allowed: a number"),
        (4, "x" * 500, "row 2: distance: found 'x{36}..., allowed: a number"),
    ],
)
def test_a_wrong_value_is_named(place: int, value: Any, text: str) -> None:
    wrong = [*GOOD[:place], value, *GOOD[place + 1 :]]
    with pytest.raises(SchemaError, match=text):
        MIXED.inputs([GOOD, wrong])


@pytest.mark.parametrize("value", [3.5e38, -3.5e38, 1e308, 10**39, -(10**300)])
def test_what_float32_cannot_hold_is_refused_and_not_made_infinite(value: float) -> None:
    with pytest.raises(SchemaError, match="allowed: a number within float32"):
        NUMBERS.inputs([[1.0, 2.0, 3.0, 4.0], [1.0, value, 3.0, 4.0]])


@pytest.mark.parametrize("value", [FLOAT32_MAX, -FLOAT32_MAX, 1e30, 2**64 - 1, -(2**63), 5e-324, -0.0])
def test_what_float32_can_hold_stays_finite(value: float) -> None:
    numbers = NUMBERS.inputs([[value, 2, 3, 4]]).numbers
    assert numbers is not None
    assert numbers.dtype == np.float32
    assert np.isfinite(numbers).all()


def test_a_huge_integer_breaks_nothing() -> None:
    with pytest.raises(SchemaError, match="row 1: a: found 1000000"):
        NUMBERS.inputs([[10**400, 1, 1, 1]])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_are_refused_in_arrays_too(value: float) -> None:
    with pytest.raises(SchemaError, match=r"^row 1: b: found"):
        NUMBERS.checked(np.array([[1.0, value, 1.0, 1.0]]), None, 1)


def test_null_is_nan_where_it_may_be() -> None:
    numbers = NULLABLE.inputs([[None, 1, None, 2.5]]).numbers
    assert str(None if numbers is None else numbers.tolist()) == "[[nan, 1.0, nan, 2.5]]"


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i8", "u8", "<f2", "<f4", "<f8", ">f4"])
def test_arrays_of_any_number_type_are_checked(dtype: str) -> None:
    table = np.array([[0, 1, 1, 0]], dtype=dtype)
    numbers = NUMBERS.checked(table, None, 1).numbers
    assert numbers is not None
    assert numbers.dtype == np.float32
    bounded = FeatureSchema([feature(name, minimum=1) for name in "abcd"])
    with pytest.raises(SchemaError, match=r"row 1: a: found 0\.0"):
        bounded.checked(table, None, 1)


@pytest.mark.parametrize(
    "features", [None, 5, "x", [], [[]], {"a": [1]}, [{}], [[1, 2, 3, 4], 5], [[1, 2, 3, 4], "abcd"]]
)
def test_no_form_of_rows(features: Any) -> None:
    def read() -> None:
        NUMBERS.inputs(NUMBERS.rows_of(features)[0])

    with pytest.raises((MalformedError, SchemaError)):
        read()


def test_a_model_of_one_feature_tells_a_row_from_a_list_of_rows() -> None:
    one = FeatureSchema([feature("a")])
    assert one.rows_of([5]) == ([[5]], True)
    assert one.rows_of([[5]]) == ([[5]], False)
    assert one.rows_of({"a": 5}) == ([[5]], True)
    assert one.rows_of([{"a": 5}, [6]]) == ([[5], [6]], False)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.sampled_from([0, 1, -60, 1000, 5000, 2**53 + 1, 2**64 - 1, FLOAT32_MAX, FLOAT32_MAX * (1 + 1e-9), 1e-46, 0.5]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "UA", "AA", "ÅÄ", "N1", "1", "true"]),
    st.lists(st.integers(0, 1), max_size=2),
)
LIKELY = {
    "category": st.sampled_from(["UA", "AA", "N1"]),
    "integer": st.integers(-60, 1000),
    "boolean": st.sampled_from([True, False, 0, 1, 0.0, 1.0]),
    "number": st.floats(0, 5000),
}


def tables_of(schema: FeatureSchema) -> st.SearchStrategy[list[list[Any]]]:
    """Mostly good rows with a bad value here and there."""
    columns = [
        st.integers(0, 9).flatmap(lambda dice, kind=each["type"]: VALUES if dice == 0 else LIKELY[kind])
        for each in schema.features
    ]
    return st.lists(st.tuples(*columns).map(list), min_size=1, max_size=5)


def is_good(feature: dict[str, Any], value: Any) -> bool:
    """The feature schema's meaning, one value at a time."""
    if value is None or (feature["type"] == "category" and value == ""):
        return bool(feature["nullable"])
    if feature["type"] == "category":
        return isinstance(value, str) and value in (feature["categories"] or [value])
    if feature["type"] == "boolean":
        return type(value) in {bool, int, float} and value in {0, 1}
    if type(value) not in {int, float} or abs(value) > FLOAT32_MAX:
        return False
    low, high = feature["minimum"], feature["maximum"]
    in_bounds = (low is None or value >= low) and (high is None or value <= high)
    return in_bounds and (feature["type"] == "number" or value == int(value))


@pytest.mark.parametrize("schema", [MIXED, NUMBERS, NULLABLE], ids=["mixed", "numbers", "nullable"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whole_columns_give_what_value_by_value_gives(schema: FeatureSchema, data: st.DataObject) -> None:
    rows = data.draw(tables_of(schema))
    wrong = [
        (number, each["name"])
        for number, row in enumerate(rows, start=1)
        for each, value in zip(schema.features, row, strict=True)
        if not is_good(each, value)
    ]
    if wrong:
        with pytest.raises(SchemaError, match=f"^row {wrong[0][0]}: {wrong[0][1]}: "):
            schema.inputs(rows)
        return
    inputs = schema.inputs(rows)
    assert inputs.rows == len(rows)
    if schema.numeric:
        expected = [[math.nan if row[place] is None else float(row[place]) for place in schema.numeric] for row in rows]
        np.testing.assert_array_equal(inputs.numbers, np.array(expected).astype(np.float32))
    if schema.text:
        assert inputs.categories is not None
        assert inputs.categories.tolist() == [[row[place] or "" for place in schema.text] for row in rows]


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abcde"), inner), max_leaves=12
    )
)
def test_no_json_value_is_more_than_refused(value: Any) -> None:
    for schema in (NUMBERS, MIXED):
        try:
            rows, _ = schema.rows_of(json.loads(json.dumps(value)))
            schema.inputs(rows)
        except RequestError as error:
            assert error.status in {400, 422}  # noqa: PT017  refusing is one of two good ends
