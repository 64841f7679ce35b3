"""JSON bodies: the way without Python objects gives what the plain way gives, for every shape."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.bodies.json_rows import LARGE_BYTES, find_numbers, load, read_rows
from model_server.errors import MalformedError, RequestError, TooLargeError
from model_server.schema import FeatureSchema
from tests.unit.serving.features import MIXED, NULLABLE, NUMBERS

PADDING = b" " * LARGE_BYTES  # makes a body large enough for the fast way, and changes nothing


def result(content: bytes, schema: FeatureSchema = NUMBERS) -> Any:
    """What the client would learn."""
    try:
        inputs, single = read_rows(content, "features", schema, 1000)
    except RequestError as error:
        return error.status, str(error) if error.status != 400 else ""
    assert inputs.numbers is not None
    return inputs.rows, single, str(inputs.numbers.tolist())


@pytest.mark.parametrize("text", [b"[[1,2,3,4]]", b"[[1,2.5,-3e5,18446744073709551615],[0,-0.0,1e-320,4]]"])
def test_tables_of_numbers_take_the_fast_way(text: bytes) -> None:
    content = b'{"features":%b}' % text
    assert find_numbers(content + PADDING, {"features"}, NUMBERS, 1000) is not None
    assert find_numbers(content, {"features"}, NUMBERS, 1000) is None
    assert result(content + PADDING) == result(content)


@pytest.mark.parametrize(
    "body",
    [
        b'{"features":[[1,2,3,true]]}',
        b'{"features":[[1,2,3,null]]}',
        b'{"features":[[1,2,3,"4"]]}',
        b'{"features":[[1,2,3]]}',
        b'{"features":[[1,2,3,4],[1,2,3]]}',
        b'{"features":[[1,2,3,4],[1,2,3,4,5],[1,2,3]]}',
        b'{"features":[[1,2,3,4],[]]}',
        b'{"features":[[1,[2],3,4],5]}',
        b'{"features":[[1,[2,3,4],5,6],"abcd"]}',
        b'{"features":[[1,[2],3,4],{"a":1,"b":2,"c":3,"d":4}]}',
        b'{"features":[[[1,2,3,4]]]}',
        b'{"features":[[[1],[2],[3],[4]]]}',
        b'{"features":[{"a":1,"b":2,"c":3,"d":4}]}',
        b'{"features":[1,2,3,4]}',
        b'{"features":[]}',
        b'{"features":{}}',
        b'{"features":null}',
        b'{"features":[[1,2,3,18446744073709551616]]}',
        b'{"features":[[1,2,3,' + b"9" * 400 + b"]]}",
        b'{"features":[[1,2,3,1e400]]}',
        b'{"features":[[1,2,3,-1e400]]}',
        b'{"features":[[1,2,3,NaN]]}',
        b'{"features":[[1,2,3,Infinity]]}',
        b'{"features":[[1,2,3,0x10]]}',
        b'{"features":[[1,2,3,01]]}',
        b'{"features":[[1,2,3,4],]}',
        b'{"features":[[1,2,3,4]]',
        b'{"features":[[1,2,3,4]]}}',
        b'{"features":[[1,2,3,3.5e38]]}',
        b'{"features":[[1,2,3,4]],"features":[[5,6,7,8]]}',
        b'{"features":[[1,2,3,4]],"feature\\u0073":[[5,6,7,8]]}',
        b'{"features":[[1,2,3,4]],"more":1}',
        b'{"f\\u0065atures":[[1,2,3,4]]}',
        b'{"other":[[1,2,3,4]]}',
        b"[[1,2,3,4]]",
        b"5",
        b"",
        b"\xff\xfe",
        b'\xef\xbb\xbf{"features":[[1,2,3,4]]}',
    ],
)
def test_every_other_shape_ends_alike_on_both_ways(body: bytes) -> None:
    assert result(body + PADDING) == result(body)


def test_of_duplicate_keys_the_last_counts_on_both_ways() -> None:
    body = b'{"features":[[1,1,1,1]],"features":[[2,2,2,2]]}'
    assert result(body) == result(body + PADDING) == (1, False, "[[2.0, 2.0, 2.0, 2.0]]")


NUMBER_TEXTS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["0", "-0", "-0.0", "1E5", "1e+5", "9007199254740993", "null", "true", "[1]", '"x"', "{}"]),
)


@pytest.mark.parametrize("schema", [NUMBERS, NULLABLE], ids=["numbers", "nullable"])
@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.lists(NUMBER_TEXTS, min_size=3, max_size=5), max_size=4))
def test_both_ways_agree_on_any_table(schema: FeatureSchema, rows: list[list[str]]) -> None:
    content = ('{"features":[' + ",".join("[" + ",".join(row) + "]" for row in rows) + "]}").encode()
    assert result(content + PADDING, schema) == result(content, schema)


def test_nesting_is_bounded() -> None:
    for depth in (1025, 100_000):
        with pytest.raises(MalformedError, match="the body is not JSON"):
            load(b'{"features":' + b"[" * depth + b"]" * depth + b"}", 100_000)


@pytest.mark.parametrize("tiny", [b"[]", b"{}", b"[1]"])
def test_millions_of_tiny_rows_are_refused_before_they_are_made(tiny: bytes) -> None:
    content = b'{"features":[' + b",".join([tiny] * 1_000_000) + b"]}"
    with pytest.raises(TooLargeError, match="too many lists and objects in one request, allowed: 1000 rows"):
        read_rows(content, "features", MIXED, 1000)


def test_too_many_rows_are_counted_on_both_ways() -> None:
    for schema in (NUMBERS, MIXED):
        with pytest.raises(TooLargeError, match="3000 rows in one request, allowed: 1000"):
            read_rows(
                b'{"features":[' + b",".join([b"[%b]" % b",".join([b"1"] * len(schema.names))] * 3000) + b"]}",
                "features",
                schema,
                1000,
            )


def test_threads_parse_side_by_side() -> None:
    bodies = [b'{"features":[' + b",".join([b"[%d,1,1,1]" % number] * 500) + b"]}" for number in range(4)]
    wrong: list[int] = []

    def run(number: int) -> None:
        for _ in range(50):
            inputs, _ = read_rows(bodies[number], "features", NUMBERS, 1000)
            if inputs.numbers is None or set(inputs.numbers[:, 0].tolist()) != {float(number)}:
                wrong.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
