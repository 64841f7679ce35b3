from __future__ import annotations

import gzip
import tracemalloc
import zlib
from functools import partial
from typing import Any

import pytest

from model_server.errors import MalformedError, TooLargeError, UnsupportedError
from model_server.message import Request

BODY = b'{"features":[1,2,3,4]}' * 10
LIMIT = 100_000
packed = partial(gzip.compress, mtime=0)


def content(body: bytes, encoding: str | None, limit: int = LIMIT) -> bytes:
    return Request({} if encoding is None else {"HTTP_CONTENT_ENCODING": encoding}, body).content(limit)


@pytest.mark.parametrize("encoding", [None, "", "identity", "Identity"])
def test_plain(encoding: str | None) -> None:
    assert content(BODY, encoding) == BODY


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "deflate"])
def test_compressed(encoding: str) -> None:
    assert content(packed(BODY) if "gzip" in encoding.lower() else zlib.compress(BODY), encoding) == BODY
    assert content(packed(b""), "gzip") == b""
    assert content(packed(b"x" * LIMIT), "gzip") == b"x" * LIMIT


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "ends too early"),
        (packed(BODY)[:-1], "ends too early"),
        (packed(BODY)[:15], "ends too early"),
        (BODY, "not compressed as its Content-Encoding says"),
        (packed(BODY)[:-8] + b"\0" * 8, "not compressed as its Content-Encoding says"),
        (packed(BODY) + packed(BODY), "something follows"),
        (packed(BODY) + b"x", "something follows"),
    ],
)
def test_what_is_not_whole(body: bytes, text: str) -> None:
    with pytest.raises(MalformedError, match=text):
        content(body, "gzip")


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip,deflate", "compress", "x" * 500])
def test_other_encodings(encoding: str) -> None:
    with pytest.raises(UnsupportedError, match="allowed: gzip, deflate") as caught:
        content(BODY, encoding)
    assert len(str(caught.value)) < 200


def test_a_bomb_is_unpacked_no_further_than_the_limit() -> None:
    bomb = packed(b"\0" * 100_000_000)
    tracemalloc.start()
    with pytest.raises(TooLargeError, match="unpacks to more than 100000 bytes"):
        content(bomb, "gzip")
    assert tracemalloc.get_traced_memory()[1] < 10 * LIMIT
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", False),
        ("probabilities", True),
        ("probabilities=", True),
        ("probabilities=TRUE", True),
        ("probabilities=1&probabilities=0", False),
        ("probabilities=no", False),
        ("other=true", False),
        ("prob%61bilities=yes", True),
    ],
)
def test_flags_of_the_query(query: str, expected: bool) -> None:
    assert Request({"QUERY_STRING": query}, b"").flag("probabilities") is expected


@pytest.mark.parametrize("query", ["probabilities=perhaps", "probabilities=%ff", "a=1&" * 21 + "probabilities=true"])
def test_flags_that_say_neither(query: str) -> None:
    with pytest.raises(MalformedError):
        Request({"QUERY_STRING": query}, b"").flag("probabilities")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ""),
        ({"CONTENT_TYPE": "Application/JSON ; charset=utf-8"}, "application/json"),
        ({"CONTENT_TYPE": ";"}, ""),
        ({"CONTENT_TYPE": "application/json,text/csv"}, "application/json,text/csv"),
    ],
)
def test_the_media_type_is_without_parameters(said: dict[str, Any], expected: str) -> None:
    assert Request(said, b"").media_type == expected
