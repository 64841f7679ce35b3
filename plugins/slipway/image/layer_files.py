"""The files of one image layer, read once from front to back, in flat memory, with no trust in what it says.

A layer is a tar archive, plain or gzip (OCI image specification 1.1, layer.md). Python's `tarfile` reads the headers; what
it reads them from is bounded here, because it would keep a header of any length, or a sparse file's map, in memory.
"""

from __future__ import annotations

import gzip
import posixpath
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_CHUNK_BYTES = 1 << 20
# All headers of one member together. A path has 4 KiB at most and Linux allows 64 KiB of extended attributes.
_MAX_HEADER_BYTES = 128 << 10
_MAX_LAYER_BYTES = 64 << 30
# No name on Linux is longer. tarfile looks for numbers in quadratic time (CVE-2024-6232, before Python 3.11.10).
_ENDLESS_NUMBER = re.compile(rb"[0-9]{256}")
_END_MARK = bytes(tarfile.BLOCKSIZE)
# What tarfile, gzip and zlib raise over bytes that are wrong; ValueError is of numbers in headers. No OSError: that is the
# stream's own, of a connection that broke.
_UNSOUND = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, RecursionError, OverflowError, ValueError)


class BrokenLayerError(Exception):
    """The layer is cut short, damaged, or made to do harm; the text says which. `packages` translates it."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class LayerFile:
    """One member of a layer.

    Attributes:
        path: relative to the root, cleaned of ``.`` and ``..``; bytes that are no UTF-8 appear as ``\\xff``.
        is_folder: whether it is a folder; everything else hides what lower layers have at and below the path.
        is_regular: whether it has a body.
        hard_link: the path of the member that it is another name of.
        read: the first bytes of the body, at most that many; once, and before the next member is asked for.
    """

    path: str
    is_folder: bool
    is_regular: bool
    hard_link: str | None
    read: Callable[[int], bytes]


class _Forward:
    """A stream as `tarfile` wants it: it can seek, but only forward, and may read little between two members."""

    def __init__(self, stream: _Readable) -> None:
        self._stream, self._at = stream, 0
        self.last = b""
        self.budget = _MAX_HEADER_BYTES

    def tell(self) -> int:
        return self._at

    def seek(self, position: int) -> int:
        if position < self._at:
            raise BrokenLayerError("a member points back to one before it")
        while self._at < position and self.take(min(_CHUNK_BYTES, position - self._at)):
            pass
        return self._at

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self.budget:
            raise BrokenLayerError(f"the headers of a member exceed {_MAX_HEADER_BYTES} bytes")
        self.budget -= size
        data = b""
        while len(data) < size and (part := self.take(size - len(data))):
            data += part
        if size > tarfile.BLOCKSIZE and _ENDLESS_NUMBER.search(data):
            raise BrokenLayerError("a header holds a number without end")
        self.last = data
        return data

    def take(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end. Not counted as headers."""
        try:
            data = self._stream.read(size)
        except _UNSOUND as error:
            raise _unsound(error) from error
        self._at += len(data)
        if self._at > _MAX_LAYER_BYTES:
            raise BrokenLayerError(f"it unpacks to more than {_MAX_LAYER_BYTES >> 30} GiB")
        return data


class _Rewound:
    """A stream whose first bytes have been looked at; it need not be able to seek."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int = -1) -> bytes:
        if self._head:
            data, self._head = (self._head, b"") if size < 0 else (self._head[:size], self._head[size:])
            return data
        return self._stream.read(size)


def read_layer(stream: BinaryIO) -> Iterator[LayerFile]:
    """The members of a layer, in its order. `stream` is read to its end, so its reader may compute a digest meanwhile.

    Raises:
        BrokenLayerError: it is no tar archive, compressed with something else than gzip, cut short, or hostile.
    """
    try:
        yield from _members(_Forward(_uncompressed(stream)))
    except _UNSOUND as error:
        raise _unsound(error) from error
    while stream.read(_CHUNK_BYTES):
        pass


def _unsound(error: Exception) -> BrokenLayerError:
    return BrokenLayerError(f"it is no sound tar archive ({type(error).__name__})")


def _uncompressed(stream: BinaryIO) -> _Readable:
    head = b""
    while len(head) < len(_ZSTD) and (more := stream.read(len(_ZSTD) - len(head))):
        head += more
    if head.startswith(_ZSTD):
        raise BrokenLayerError("it is compressed with zstd, which is not read here; gzip and plain layers are")
    rewound = _Rewound(head, stream)
    if head.startswith(_GZIP):
        return gzip.GzipFile(fileobj=rewound, mode="rb")  # type: ignore[call-overload, no-any-return]  # reads only
    return rewound


def _members(forward: _Forward) -> Iterator[LayerFile]:
    # backslashreplace: two names that differ in bytes only stay two, and every text can be written as UTF-8.
    with tarfile.open(fileobj=forward, mode="r:", errors="backslashreplace") as archive:  # type: ignore[call-overload]
        while (member := archive.next()) is not None:
            archive.members.clear()  # tarfile would keep every member
            yield _file(member, forward)
            forward.budget = _MAX_HEADER_BYTES
    # tarfile takes a damaged header in the middle for the end, and would hide all that follows.
    if forward.last != _END_MARK:
        raise BrokenLayerError("it ends without an end mark: cut short, or damaged")


def _file(member: tarfile.TarInfo, forward: _Forward) -> LayerFile:
    def read(limit: int) -> bytes:
        left = min(member.size, limit)
        parts = []
        while left and (part := forward.take(left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    link = clean(member.linkname) if member.islnk() else None
    # Of a sparse file the archive holds pieces and a map: nothing that we look for is one.
    is_regular = member.isreg() and not member.issparse()
    return LayerFile(clean(member.name), member.isdir(), is_regular, link, read)


def clean(path: str) -> str:
    """A member's name as a path below the root: no leading ``/`` or ``./``, and ``..`` never leads out."""
    return posixpath.normpath("/" + path.lstrip("/"))[1:]
