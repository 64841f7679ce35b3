from __future__ import annotations

import pytest

from model_server.bodies import csv_rows
from model_server.errors import MalformedError, SchemaError, TooLargeError
from tests.unit.serving.features import MIXED, NULLABLE, NUMBERS


def test_a_header_names_the_columns_in_any_order() -> None:
    inputs = csv_rows.read(b"d,c,b,a\r\n4,3,2,1\r\n", NUMBERS, 10)
    assert inputs.numbers is not None
    assert inputs.numbers.tolist() == [[1, 2, 3, 4]]
    bare = csv_rows.read(b"1,2,3,4", NUMBERS, 10)
    assert bare.numbers is not None
    assert bare.numbers.tolist() == [[1, 2, 3, 4]]


def test_quotes_commas_line_breaks_and_a_byte_order_mark() -> None:
    text = '\ufeffcarrier,delay,tail,night,distance\n,,"N,1\n""x""",true,10\nÅÄ,3,N2,0,1e3\n'
    inputs = csv_rows.read(text.encode(), MIXED, 10)
    assert inputs.categories is not None
    assert inputs.categories.tolist() == [["", 'N,1\n"x"'], ["ÅÄ", "N2"]]
    assert str(None if inputs.numbers is None else inputs.numbers.tolist()) == "[[nan, 1.0, 10.0], [3.0, 0.0, 1000.0]]"


def test_an_empty_field_is_null() -> None:
    assert str(csv_rows.read(b"1,,3,\n", NULLABLE, 10).numbers) == "[[ 1. nan  3. nan]]"
    with pytest.raises(SchemaError, match="row 1: b: found None, allowed: not null"):
        csv_rows.read(b"1,,3,4\n", NUMBERS, 10)


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (b"", MalformedError, "the CSV body has no row"),
        (b"\n\n\r\n", MalformedError, "the CSV body has no row"),
        (b"a,b,c,d\n", MalformedError, "the CSV body has no row"),
        (b"\xff\xfe,1", MalformedError, "the body is not CSV in UTF-8"),
        (b'1,2,3,"4', MalformedError, "the body is not CSV in UTF-8"),
        (b'1,2,3,"4"x\n', MalformedError, "the body is not CSV in UTF-8"),
        (b"1,2,3," + b"4" * 2_000_000, MalformedError, "field larger than field limit"),
        (b"1,2,3\n", SchemaError, "row 1: 3 values for 4 features: a, b, c, d"),
        (b"1,2,3,4\n1,2,3,4,5\n", SchemaError, "row 2: 5 values for 4 features"),
        (b"a,b,c,e\n1,2,3,4\n", SchemaError, "row 1: a: found 'a', allowed: a number"),
        (b"1,2,3,x\n", SchemaError, "row 1: d: found 'x', allowed: a number"),
        (b"1,2,3,inf\n", SchemaError, "row 1: d: found inf, allowed: a number within float32"),
        (b"1,2,3,nan\n", SchemaError, "row 1: d: found None, allowed: not null"),
        (b"1,2,3,1e400\n", SchemaError, "row 1: d: found inf, allowed: a number within float32"),
        (b"1,2,3," + b"9" * 5000, SchemaError, "row 1: d: found inf"),
        (b"1,2,3,0x10\n", SchemaError, "row 1: d: found '0x10', allowed: a number"),
        (b"1,2,3,1\x00\n", SchemaError, "row 1: d: found"),
        (b"1,2,3,4\n" * 11, TooLargeError, "11 rows in one request, allowed: 10"),
        (b"1\n" * 1_000_000, TooLargeError, "more than 11 rows in one request"),
    ],
)
def test_what_is_refused(content: bytes, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        csv_rows.read(content, NUMBERS, 10)


def test_answers_in_csv_are_quoted_where_they_must_be() -> None:
    assert csv_rows.write({"prediction": ['a,"b"', "c"]}) == b'"a,""b"""\nc\n'
    assert (
        csv_rows.write({"prediction": [1, 2], "probability_x": [0.5, 0.25]})
        == b"prediction,probability_x\n1,0.5\n2,0.25\n"
    )
