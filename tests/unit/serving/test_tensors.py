"""Tensors of the Open Inference Protocol whose shape, type and data do not fit each other."""

from __future__ import annotations

from typing import Any

import pytest

from model_server.bodies import texts
from model_server.errors import MalformedError, RequestError, SchemaError
from model_server.protocols import tensors


def tensor(**given: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]} | given


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[1, 2, 3, 4]], [[[1], [2], [3], [4]]]])
def test_flat_or_nested(data: Any) -> None:
    assert tensors.from_json(tensor(data=data)).tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"shape": None}, MalformedError),
        ({"shape": []}, MalformedError),
        ({"shape": [1] * 9}, MalformedError),
        ({"shape": [-1, 4]}, MalformedError),
        ({"shape": [-1, -4]}, MalformedError),
        ({"shape": [True, 4]}, MalformedError),
        ({"shape": [1.0, 4]}, MalformedError),
        ({"shape": ["1", 4]}, MalformedError),
        ({"shape": [2**62, 2**62]}, MalformedError),
        ({"shape": [2**32, 2**32], "data": []}, MalformedError),
        ({"shape": [0, 2**62, 2**62], "data": []}, MalformedError),
        ({"shape": [2**31, 1], "data": []}, MalformedError),
        ({"shape": [65536, 65536], "data": []}, MalformedError),
        ({"shape": [0, 4], "data": []}, SchemaError),
        ({"shape": [2, 4]}, SchemaError),
        ({"shape": [1, 3]}, SchemaError),
        ({"datatype": "FP33"}, MalformedError),
        ({"datatype": ["FP32"]}, MalformedError),
        ({"datatype": None}, MalformedError),
        ({"data": None}, MalformedError),
        ({"data": "1234"}, MalformedError),
        ({"data": {"0": 1}}, MalformedError),
        ({"data": [1, 2, 3, None]}, None),
        ({"data": [1, 2, 3, "4"]}, SchemaError),
        ({"data": [1, 2, 3, True]}, SchemaError),
        ({"data": [[1, 2], 3, 4]}, SchemaError),
        ({"data": [[1, 2, 3, 4], []]}, None),
        ({"data": [1, 2, 3, {}]}, SchemaError),
        ({"data": [[[[[[[[[[1]]]]]]]]]], "shape": [1]}, SchemaError),
        ({"datatype": "UINT8", "data": [1, 2, 3, 256]}, SchemaError),
        ({"datatype": "UINT8", "data": [1, 2, 3, -1]}, SchemaError),
        ({"datatype": "INT64", "data": [1, 2, 3, 2**63]}, SchemaError),
        ({"datatype": "INT32", "data": [1, 2, 3, 1.5]}, SchemaError),
        ({"datatype": "INT32", "data": [1, 2, 3, None]}, SchemaError),
        ({"datatype": "BOOL"}, SchemaError),
        ({"datatype": "BYTES"}, SchemaError),
    ],
)
def test_json_that_does_not_fit(given: dict[str, Any], error: type[RequestError] | None) -> None:
    if error is None:
        assert tensors.from_json(tensor(**given)).shape == (1, 4)
        return
    with pytest.raises(error, match=r"^input 'x'"):
        tensors.from_json(tensor(**given))


@pytest.mark.parametrize(
    ("given", "data", "error"),
    [
        ({}, b"\0" * 15, SchemaError),
        ({}, b"\0" * 17, SchemaError),
        ({"shape": [2**20, 2**20]}, b"\0" * 16, MalformedError),
        ({"shape": [0, 2**62]}, b"", MalformedError),
        ({"datatype": "BYTES", "shape": [1]}, b"\x05\0\0\0abc", SchemaError),
        ({"datatype": "BYTES", "shape": [1]}, b"\xff\xff\xff\xffabc", SchemaError),
        ({"datatype": "BYTES", "shape": [1]}, b"\x01\0", SchemaError),
        ({"datatype": "BYTES", "shape": [1]}, b"\x01\0\0\0\xff", SchemaError),
        ({"datatype": "BYTES", "shape": [2]}, b"\x01\0\0\0a", SchemaError),
    ],
)
def test_bytes_that_do_not_fit(given: dict[str, Any], data: bytes, error: type[RequestError]) -> None:
    with pytest.raises(error, match=r"^input 'x'"):
        tensors.from_bytes(tensor(**given), memoryview(data))


def test_numbers_beyond_a_type_are_not_made_infinite_silently() -> None:
    array = tensors.from_json(tensor(data=[1e39, 1, 1, 1]))
    assert array[0, 0] == float("inf")  # which the schema then refuses


def test_bytes_round_trip() -> None:
    texts = ["", "ÅÄ", "x" * 300]
    data = b"".join(map(tensors.element, texts))
    assert tensors.from_bytes(tensor(datatype="BYTES", shape=[3]), memoryview(data)).tolist() == texts


@pytest.mark.parametrize("length", [1, 3, 8, 9, 64, 65])
@pytest.mark.parametrize("different", [1, 50, 90])
@pytest.mark.parametrize("rows", [5, texts.MANY, 4000])
def test_texts_of_one_length_come_back_however_few_differ(length: int, different: int, rows: int) -> None:
    given = [str(number % different).rjust(length, "x")[-length:] for number in range(rows)]
    assert read_texts(given) == given


def test_more_different_texts_than_the_hash_can_part_come_back_too() -> None:
    given = [f"{number:06}" for number in range(3 * 2**16)]
    assert read_texts(given) == given


def read_texts(given: list[str]) -> list[str]:
    data = b"".join(map(tensors.element, given))
    described = {"name": "x", "datatype": "BYTES", "shape": [len(given)]}
    found: list[str] = tensors.from_bytes(described, memoryview(data)).tolist()
    return found
