"""A file's unpacked bytes, and where in them the text stops being UTF-8."""

from __future__ import annotations

import codecs
import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from slipway.table.format import get_format

if TYPE_CHECKING:
    from pathlib import Path

CHUNK_BYTES = 1 << 20


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of `path`, unpacked if its name says gzip; the caller closes it."""
    if get_format(path.name).is_gzipped:
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


@dataclass(frozen=True)
class BadByte:
    """The first byte that is not UTF-8; `offset` counts unpacked bytes from 0, `line` from 1."""

    offset: int
    line: int
    value: int


def find_bad_byte(path: Path) -> BadByte | None:
    """The first byte of `path` that is not UTF-8, or None if all of it is. Reads in flat memory."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, line = 0, 1
    with open_bytes(path) as stream:
        while True:
            chunk = stream.read(CHUNK_BYTES)
            # A character may lie across two chunks; the decoder keeps its beginning.
            window = decoder.getstate()[0] + chunk
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return BadByte(offset + error.start, line + window[: error.start].count(b"\n"), window[error.start])
            if not chunk:
                return None
            taken = len(window) - len(decoder.getstate()[0])
            offset, line = offset + taken, line + window[:taken].count(b"\n")
