"""The bundle as a layer: a tar (POSIX.1-1988 ustar) of which every byte follows from the bundle's files.

The headers are written here, not by `tarfile`, whose bytes are its own business and change from one Python to the next. They
are the ones a Docker engine writes for a layer, so that an engine that is told to ADD this file makes the very same layer of
it. The layer is not compressed: another zlib makes other bytes of the same input, and then the image would have another
digest on another machine.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from slipway.core.errors import RejectedError

BUNDLE_FOLDER = "opt/ml/model"
_BLOCK = 512
_PIECE_BYTES = 1 << 20
_LARGEST_FILE_BYTES = 8**11 - 1  # eleven octal digits


@dataclass(frozen=True)
class Layer:
    """A layer in a file. Uncompressed, so `digest` is also what the image's configuration calls it (its DiffID)."""

    path: Path
    digest: str
    size_bytes: int


def write_bundle_layer(bundle: Path, names: Iterable[str], path: Path) -> Layer:
    """Write the layer with these files of a bundle: root's, readable by all, of 1970.

    Args:
        bundle: its folder, checked.
        names: the files, plain names.
        path: where the layer goes.

    Raises:
        RejectedError: a file does not fit into the format: over 8 GiB, or a name of over 80 characters.
    """
    hashed, size_bytes = hashlib.sha256(), 0
    with path.open("wb") as out:
        for piece in _pieces(bundle, sorted(names)):
            hashed.update(piece)
            size_bytes += out.write(piece)
    return Layer(path, f"sha256:{hashed.hexdigest()}", size_bytes)


def _pieces(bundle: Path, names: list[str]) -> Iterator[bytes]:
    parts = BUNDLE_FOLDER.split("/")
    for depth in range(1, len(parts) + 1):
        yield _header("/".join(parts[:depth]) + "/", stat.S_IFDIR | 0o755, 0, b"5")
    for name in names:
        size_bytes = (bundle / name).stat().st_size
        _check(name, size_bytes)
        yield _header(f"{BUNDLE_FOLDER}/{name}", stat.S_IFREG | 0o644, size_bytes, b"0")
        with (bundle / name).open("rb") as stream:
            while piece := stream.read(_PIECE_BYTES):
                yield piece
        yield b"\0" * (-size_bytes % _BLOCK)
    yield b"\0" * (2 * _BLOCK)


def _header(name: str, mode: int, size_bytes: int, kind: bytes) -> bytes:
    """One header block; owner and group are root, the time is 0."""
    fields = (
        name.encode().ljust(100, b"\0"),
        *(b"%07o\0" % number for number in (mode, 0, 0)),
        *(b"%011o\0" % number for number in (size_bytes, 0)),
        b" " * 8,  # the checksum counts as spaces while it is made
        kind,
        b"\0" * 100,
        b"ustar\0" + b"00",
        b"root".ljust(32, b"\0"),
        b"root".ljust(32, b"\0"),
        b"%07o\0" % 0,
        b"%07o\0" % 0,
    )
    block = b"".join(fields).ljust(_BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _check(name: str, size_bytes: int) -> None:
    if size_bytes > _LARGEST_FILE_BYTES or len(name.encode()) > 80 or "/" in name:
        raise RejectedError(
            "could not make a layer of the bundle",
            on=name,
            why=f"a file of {size_bytes:,} bytes under this name does not fit; at most 8 GiB and 80 characters",
            fix="Train a smaller model, e.g. with fewer or shallower trees.",
        )
