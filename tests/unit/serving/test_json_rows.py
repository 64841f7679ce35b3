"""JSON bodies: the way without Python objects gives what the plain way gives, for every shape."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.bodies.json_rows import LARGE_BYTES, find_inputs, load, read_rows
from model_server.bodies.texts import LONGEST
from model_server.errors import MalformedError, RequestError, TooLargeError
from model_server.schema import FeatureSchema
from tests.unit.serving.features import MIXED, NULLABLE, NUMBERS, feature

PADDING = b" " * LARGE_BYTES  # makes a body large enough for the fast way, and changes nothing


def result(content: bytes, schema: FeatureSchema = NUMBERS) -> Any:
    """What the client would learn."""
    try:
        inputs, single = read_rows(content, "features", schema, 1000)
    except RequestError as error:
        return error.status, str(error) if error.status != 400 else ""
    numbers, categories = (None if part is None else part.tolist() for part in (inputs.numbers, inputs.categories))
    return inputs.rows, single, str(numbers), categories


@pytest.mark.parametrize("text", [b"[[1,2,3,4]]", b"[[1,2.5,-3e5,18446744073709551615],[0,-0.0,1e-320,4]]"])
def test_tables_of_numbers_take_the_fast_way(text: bytes) -> None:
    content = b'{"features":%b}' % text
    assert find_inputs(content + PADDING, {"features"}, NUMBERS, 1000) is not None
    assert find_inputs(content, {"features"}, NUMBERS, 1000) is None
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
    assert result(body) == result(body + PADDING) == (1, False, "[[2.0, 2.0, 2.0, 2.0]]", None)


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


TEXTS = FeatureSchema([feature("a", "category", nullable=True), feature("b"), feature("c", "category")])


@pytest.mark.parametrize(
    "row",
    [
        '["UA",1,"x"]',
        '["",1,"-"]',
        ' [ "ÅÄ" ,\n1.5\t, "a,b" ] ',
        '["],[",1,"[{:}]"]',
        f'["{"x" * LONGEST}",1,"y"]',
        f'["{"x" * (LONGEST + 1)}",1,"y"]',
    ],
)
def test_tables_with_texts_take_the_fast_way_too(row: str) -> None:
    content = f'{{"features":[{row},{row},["UA",-3e5,"z"]]}}'.encode()
    is_fast = find_inputs(content + PADDING, {"features"}, TEXTS, 1000) is not None
    assert is_fast == ("x" * (LONGEST + 1) not in row)
    assert result(content + PADDING, TEXTS) == result(content, TEXTS)


@pytest.mark.parametrize(
    "table",
    [
        b'["UA",1,"x\\n"]',
        b'["UA",1,"\\u0041"]',
        b'["U\nA",1,"x"]',
        b'["U\x00A",1,"x"]',
        b'["\xff",1,"x"]',
        b'["\xed\xa0\x80",1,"x"]',
        b'["UA",1,2]',
        b'["UA","1","x"]',
        b'[1,"UA","x"]',
        b'["UA",1,"x","y"]',
        b'["UA",1]',
        b'["UA",null,"x"]',
        b'[null,1,"x"]',
        b'["UA",true,"x"]',
        b'["UA",1,"x"],["UA",1,5]',
        b'["UA",1,"x"],[1,"UA","x"]',
        b'["UA"5,1,"x"]',
        b'["UA".5,1,"x"]',
        b'[5"UA",1,"x"]',
        b'["UA""UA",1,"x"]',
        b'["UA"e1,1,"x"]',
        b'["UA" 5,1,"x"]',
        b'["UA" .5,1,"x"]',
        b'[1 "UA",1,"x"]',
        b'["UA",1,"x]',
        b'["UA",1,x"]',
        b'["UA",1,"x"],',
        b'["UA",[1],"x"]',
        b'["UA",1,["x"]]',
        b'[["UA"],1,"x"]',
        b'"UA",1,"x"',
        b'{"a":"UA","b":1,"c":"x"}',
    ],
)
@pytest.mark.parametrize(
    "body", [b'{"features":[%b]}', b'{"features":[%b],"more":"x"}', b'{"a[":[%b]}', b'{"a[ ":[%b]}']
)
def test_every_other_text_ends_alike_on_both_ways(body: bytes, table: bytes) -> None:
    assert result(body % table + PADDING, TEXTS) == result(body % table, TEXTS)


VALUES = st.one_of(
    NUMBER_TEXTS,
    st.text(max_size=9).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.text('ab,[]{}:" \\', max_size=4).map(lambda text: f'"{text}"'),
    st.sampled_from(['""', '"UA"', '"UA', 'UA"', '"UA"1']),
)


@pytest.mark.parametrize("schema", [TEXTS, MIXED], ids=["texts", "mixed"])
@settings(max_examples=300, deadline=None)
@given(rows=st.lists(st.one_of(st.tuples(VALUES, NUMBER_TEXTS, VALUES), st.lists(VALUES, max_size=5)), max_size=4))
def test_both_ways_agree_on_any_table_with_texts(schema: FeatureSchema, rows: list[Sequence[str]]) -> None:
    content = ('{"features":[' + ",".join("[" + ",".join(row) + "]" for row in rows) + "]}").encode("utf-8", "replace")
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
