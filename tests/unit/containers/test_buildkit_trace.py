from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.containers.buildkit_trace import printed_lines


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def log(message: bytes) -> bytes:
    """A VertexLog: vertex, timestamp (a message), stream (a number), what was printed."""
    return field(3, field(1, b"sha256:x") + field(2, b"\x08\x05") + b"\x18\x01" + field(4, message))


@given(st.lists(st.text(min_size=1), max_size=4))
def test_the_printed_lines_are_found_among_the_other_fields(texts: list[str]) -> None:
    vertexes = field(1, field(5, b"[2/3] RUN pip install")) + field(2, b"\x21" + bytes(8) + b"\x2d" + bytes(4))
    trace = base64.b64encode(vertexes + b"".join(log(text.encode()) for text in texts)).decode()
    assert printed_lines(trace) == [line for text in texts for line in text.splitlines() if line.strip()]


@given(st.binary())
def test_anything_else_prints_nothing_or_something_but_never_fails(data: bytes) -> None:
    assert isinstance(printed_lines(base64.b64encode(data).decode()), list)


@pytest.mark.parametrize("text", ["", "not base64!", "====", "\u00e9"])
def test_what_is_no_trace_prints_nothing(text: str) -> None:
    assert printed_lines(text) == []
