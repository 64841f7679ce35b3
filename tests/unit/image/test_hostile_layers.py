"""What layers that are damaged, or made to do harm, cannot do to who reads them."""

from __future__ import annotations

import contextlib
import io
import random
import tarfile
import tracemalloc
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.core.errors import RejectedError
from slipway.image.layer_files import BrokenLayerError, read_layer
from slipway.image.packages import ImagePackages, find_packages
from tests.unit.image.layers import endless, layer, link, metadata, paragraph

SITE = "opt/venv/lib/python3.11/site-packages"
FLASK = f"{SITE}/flask-3.1.3.dist-info/METADATA"
DPKG = "var/lib/dpkg/status"


def found(*layers: BinaryIO) -> ImagePackages:
    return find_packages(layers, image="registry.example.com/iris")


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def changed(block: bytes, place: int, data: bytes) -> bytes:
    """A header with other bytes at a place, and the checksum of that."""
    block = block[:place] + data + block[place + len(data) :]
    blank = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(blank) + block[156:]


SPARSE = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n27 GNU.sparse.name=abcdefg\n30 GNU.sparse.realsize=1000000\n"
ONE_MIB = b"1\n" * (1 << 19)
SOUND = layer((FLASK, metadata("Flask", "3.1.3")), ("big", bytes(20_000))).getvalue()
GZIP = layer((FLASK, metadata("Flask", "3.1.3")), ("big", bytes(range(256)) * 100), compress=True).getvalue()
LONG = layer((FLASK, metadata("Flask", "3.1.3") + random.Random(0).randbytes(1 << 18)), compress=True).getvalue()
DAMAGED = bytearray(layer(("a", b"1"), (FLASK, metadata("Flask", "3.1.3"))).getvalue())
DAMAGED[1024 + 148] ^= 0x7

HOSTILE = {
    "nothing": (io.BytesIO, "no sound tar archive"),
    "text": (lambda: io.BytesIO(b"no archive at all" * 100), "no sound tar archive"),
    "cut in a header": (lambda: io.BytesIO(SOUND[:700]), "tar archive"),
    "cut in a body": (lambda: io.BytesIO(SOUND[:9000]), "no sound tar archive"),
    "cut between members": (lambda: io.BytesIO(SOUND[:1024]), "ends without an end mark"),
    "cut gzip": (lambda: io.BytesIO(GZIP[:-100]), "no sound tar archive"),
    "cut gzip in a file that is read": (lambda: io.BytesIO(LONG[: len(LONG) // 2]), "no sound tar archive"),
    "damaged gzip": (lambda: io.BytesIO(GZIP[:100] + b"\xff" * 50 + GZIP[150:]), "no sound tar archive"),
    "damaged header hides the rest": (lambda: io.BytesIO(bytes(DAMAGED)), "ends without an end mark"),
    "zstd": (lambda: io.BytesIO(b"\x28\xb5\x2f\xfd" + bytes(100)), "compressed with zstd"),
    "long name of 8 GiB": (lambda: endless(header(b"L", 8 << 30), ONE_MIB, 100), "headers of a member exceed 131072"),
    "PAX header of 8 GiB": (lambda: endless(header(b"x", 8 << 30), ONE_MIB, 100), "headers of a member exceed"),
    "headers without end": (lambda: endless(b"", header(b"L", 10) + bytes(512), 5000), "headers of a member exceed"),
    "sparse map without end": (
        lambda: endless(
            header(b"x", len(SPARSE)) + SPARSE.ljust(512, b"\0") + header(b"0", 8 << 30) + b"9999999999\n", ONE_MIB, 100
        ),
        "headers of a member exceed",
    ),
    "old sparse map without end": (
        lambda: endless(changed(header(b"S", 1 << 30), 482, b"\1"), b"1" * 504 + b"\1" + bytes(7), 1000),
        "headers of a member exceed",
    ),
    # tarfile of Python 3.11.7 would read such an archive for ever.
    "size below zero": (
        lambda: io.BytesIO(changed(header(b"0", 0), 124, b"\xff" * 10 + b"\xfc\0") + bytes(4096)),
        "points back",
    ),
    "numbers in a PAX header": (
        lambda: io.BytesIO(header(b"x", 120_000) + b"1" * 120_000 + bytes(4096)),
        "a number without end",
    ),
    "list of packages too long": (
        lambda: layer((DPKG, paragraph("a", "1") + b"Package: a\nVersion: 1\n\n" * 50_001)),
        "lists more than 50000 packages",
    ),
    "list of packages too large": (lambda: layer((DPKG, b" \n" * (9 << 20))), "is larger than 16777216 bytes"),
    "list of packages is a link": (lambda: layer(link(DPKG, "/etc/shadow", tarfile.SYMTYPE)), "is a link"),
    "package without a version": (lambda: layer((DPKG, b"Package: a\n\n")), "has a package 'a' of version ''"),
    "package with a strange name": (lambda: layer((DPKG, b"Package: a/../b\nVersion: 1\n\n")), "has a package"),
    "Python package without a name": (lambda: layer((f"{SITE}/-.dist-info/METADATA", b"")), "has no name"),
    "a path that is too long": (
        lambda: layer(("x/" * 600 + f"{SITE}/a-1.dist-info/METADATA", metadata("a", "1"))),
        "at a path of 1\\d+ characters",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_layer_is_refused_in_little_memory(name: str) -> None:
    make, expected = HOSTILE[name]
    stream = make()
    tracemalloc.start()
    try:
        with pytest.raises(RejectedError, match=f"layer 2 of registry.example.com/iris: .*({expected})"):
            found(layer(("a", b"")), stream)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_a_layer_that_unpacks_to_petabytes_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.image.layer_files._MAX_LAYER_BYTES", 8 << 20)
    with pytest.raises(RejectedError, match="unpacks to more than"):
        found(endless(header(b"0", 1 << 40), bytes(1 << 20), 20))


def test_memory_stays_flat_over_many_files_and_large_ones() -> None:
    files = layer(
        *((f"usr/share/doc/{number}", b"x") for number in range(20_000)), ("big", bytes(50 << 20)), compress=True
    )
    tracemalloc.start()
    try:
        found(files)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_whatever_bytes_change_a_layer_is_read_or_refused(data: st.DataObject) -> None:
    layer_bytes = bytearray(data.draw(st.sampled_from([SOUND[:6000], GZIP, LONG[:6000]])))
    for _ in range(data.draw(st.integers(1, 6))):
        layer_bytes[data.draw(st.integers(0, len(layer_bytes) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BrokenLayerError):
        for file in read_layer(io.BytesIO(bytes(layer_bytes))):
            file.read(100)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["x", "g", "L", "K", "S", "0", "1", "X"]), st.integers(0, 600))
def test_whatever_an_extended_header_says_the_layer_is_read_or_refused(body: bytes, kind: str, size: int) -> None:
    data = (
        header(kind.encode(), size)
        + body.ljust(1024, b"\0")
        + header(b"0", 3, FLASK)
        + b"abc".ljust(512, b"\0")
        + bytes(1024)
    )
    with contextlib.suppress(RejectedError):
        found(io.BytesIO(data))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_whatever_the_records_say_they_are_read_or_refused(data: bytes) -> None:
    for path in (FLASK, DPKG, "etc/os-release"):
        try:
            found(layer((path, data)))
        except RejectedError:
            assert path == DPKG
