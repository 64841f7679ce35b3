"""Bodies in .npy: the header is Python source from a stranger, and is believed in nothing."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_server.bodies import npy_rows
from model_server.errors import MalformedError, RequestError, SchemaError, TooLargeError, UnsupportedError
from tests.unit.serving.features import MIXED, NUMBERS


def saved(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def shaped(shape: str) -> str:
    """The header of float32 values of any shape."""
    return f"{{'descr':'<f4','fortran_order':False,'shape':{shape}}}"


def written(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """A body with any header."""
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H" if version == b"\x01\x00" else "<I", len(text)) + text + data


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2", "i1", "<u8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_layout_of_numbers(dtype: str, order: Any) -> None:
    table = np.array([[0, 1, 1, 0], [1, 0, 1, 0]], dtype=dtype, order=order)
    numbers = npy_rows.read(saved(table), NUMBERS, 10).numbers
    assert numbers is not None
    assert numbers.tolist() == [[0, 1, 1, 0], [1, 0, 1, 0]]


def test_one_row_may_be_flat() -> None:
    assert npy_rows.read(saved(np.arange(4.0)), NUMBERS, 10).rows == 1


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", MalformedError),
        (b"\x93NUMPY", MalformedError),
        (b"\x93NUMPY\x09\x00", MalformedError),
        (saved(np.zeros((2, 4)))[:-1], MalformedError),
        (saved(np.zeros((2, 4))) + b"x", MalformedError),
        (written(shaped("(2,4)"), b"\0" * 16), MalformedError),
        (written(shaped("(-1,4)"), b"\0" * 16), MalformedError),
        (written(shaped("(-1,-4)"), b"\0" * 16), MalformedError),
        (written(shaped("(True,4)"), b"\0" * 16), MalformedError),
        (written(shaped(f"(0,{2**70})")), MalformedError),
        (written(shaped(f"({2**62},4)")), MalformedError),
        (written(shaped("(1e0,4)"), b"\0" * 16), MalformedError),
        (written("{1:2,'a':3}"), MalformedError),
        (written("{[]:1}"), MalformedError),
        (written("((("), MalformedError),
        (written("(" * 9000), MalformedError),
        (written("-" * 9000 + "1"), MalformedError),
        (written("'''"), MalformedError),
        (written("__import__('os').system('true')"), MalformedError),
        (written(shaped("(4,)") + " " * 60_000, b"\0" * 16), MalformedError),
        (written(shaped("(4,)") + " " * 70_000, b"\0" * 16, b"\x02\x00"), MalformedError),
        (written("{'descr':'nonsense','fortran_order':False,'shape':(4,)}"), MalformedError),
        (written(shaped("()"), b"\0" * 4), SchemaError),
        (written(shaped(f"({70 * '1,'})"), b"\0" * 4), SchemaError),
        (written("{'descr':[('a','<f4')],'fortran_order':False,'shape':(4,)}", b"\0" * 16), SchemaError),
        (written("{'descr':'|O','fortran_order':False,'shape':(4,)}", b"\0" * 32), SchemaError),
        (saved(np.zeros((1, 3))), SchemaError),
        (saved(np.zeros((1, 4), dtype="<c8")), SchemaError),
        (saved(np.zeros((1, 4), dtype="<M8[s]")), SchemaError),
        (saved(np.array([["a"] * 4])), SchemaError),
        (saved(np.array([[np.nan] * 4])), SchemaError),
        (saved(np.array([[np.inf] * 4])), SchemaError),
        (saved(np.zeros((11, 4))), TooLargeError),
    ],
)
def test_what_is_refused(content: bytes, error: type[RequestError]) -> None:
    with pytest.raises(error):
        npy_rows.read(content, NUMBERS, 10)


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return open, (f"{self.path}", "w")  # type: ignore[return-value]


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    trap = tmp_path / "was-unpickled"
    for content in (saved(np.array([Trap(trap)] * 4), allow_pickle=True), pickle.dumps(Trap(trap))):
        with pytest.raises(RequestError):
            npy_rows.read(content, NUMBERS, 10)
    assert not trap.exists()
    pickle.loads(pickle.dumps(Trap(trap)))  # the trap does work
    assert trap.exists()


def test_categories_need_another_form() -> None:
    with pytest.raises(UnsupportedError, match=r"which \.npy cannot carry"):
        npy_rows.read(saved(np.zeros((1, 5))), MIXED, 10)
