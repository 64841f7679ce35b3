"""Which packages are found in layers, which are hidden by upper ones, and what hostile layers cannot do."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.image.layer_files import clean
from slipway.image.package_records import DebianPackage, Distro, PythonPackage
from slipway.image.packages import ImagePackages, find_packages
from tests.unit.image.layers import layer, link, metadata, paragraph

SITE = "opt/venv/lib/python3.11/site-packages"
FLASK = f"{SITE}/flask-3.1.3.dist-info/METADATA"
DPKG = "var/lib/dpkg/status"


def found(*layers: BinaryIO) -> ImagePackages:
    return find_packages(layers, image="registry.example.com/iris")


def names(*layers: BinaryIO) -> list[str]:
    return [package.name for package in found(*layers).python]


@pytest.mark.parametrize("compress", [False, True])
def test_python_and_debian_packages_are_found_where_installers_put_them(compress: bool) -> None:
    base = layer(
        ("./etc/os-release", b'NAME="Debian"\nID=debian\nVERSION_ID="12"\n'),
        (DPKG, paragraph("libc6", "2.36-9+deb12u9", "Source: glibc") + paragraph("tzdata", "1:2024a-0")),
        ("usr/lib/python3/dist-packages/six-1.16.0.egg-info", metadata("six", "1.16.0")),
        ("usr/lib/python3/dist-packages/PyYAML-6.0.egg-info/PKG-INFO", metadata("PyYAML", "6.0", "License: MIT")),
        compress=compress,
    )
    top = layer((f"./{FLASK}", metadata("Flask", "3.1.3", "License-Expression: bsd-3-clause")), compress=compress)
    assert found(base, top) == ImagePackages(
        python=(
            PythonPackage("Flask", "3.1.3", SITE, "BSD-3-Clause"),
            PythonPackage("PyYAML", "6.0", "usr/lib/python3/dist-packages", "MIT"),
            PythonPackage("six", "1.16.0", "usr/lib/python3/dist-packages"),
        ),
        debian=(
            DebianPackage("libc6", "2.36-9+deb12u9", "amd64", "glibc"),
            DebianPackage("tzdata", "1:2024a-0", "amd64"),
        ),
        distro=Distro("debian", "12"),
    )


def test_only_what_is_directly_in_a_package_folder_counts() -> None:
    assert not names(
        layer(
            (f"{SITE}/setuptools/_vendor/wheel-0.45.dist-info/METADATA", metadata("wheel", "0.45")),
            ("root/.cache/wheel-0.45.dist-info/METADATA", metadata("wheel", "0.45")),
            (f"{SITE}/~lask-3.0.dist-info/METADATA", metadata("Flask", "3.0")),
            (f"{SITE}/flask-3.1.3.dist-info/RECORD", b""),
        )
    )


@pytest.mark.parametrize(
    "upper",
    [
        [(f"{SITE}/.wh.flask-3.1.3.dist-info", b"")],
        [(f"{SITE}/flask-3.1.3.dist-info/.wh.METADATA", b"")],
        [(f"{SITE}/.wh..wh..opq", b"")],
        [("opt/.wh.venv", b"")],
        [(".wh..wh..opq", b"")],
        [link("opt/venv", "elsewhere", tarfile.SYMTYPE)],
        [("opt/venv", b"a file now")],
        [(FLASK, None)],
    ],
    ids=["folder", "file", "opaque", "parent", "root", "symlink over it", "file over it", "folder over it"],
)
def test_an_upper_layer_hides_what_lower_ones_brought(upper: list[tuple[str, bytes | None]]) -> None:
    assert names(layer((FLASK, metadata("Flask", "3.1.3"))), layer(*upper)) == []


@pytest.mark.parametrize(
    "upper",
    [
        [(f"{SITE}/.wh.flask", b"")],
        [(f"{SITE}/.wh.flask-3.1.3", b"")],
        [(f"{SITE}/.wh..wh.plnk", b"")],
        [("opt", None), (f"{SITE}", None)],
        [(f"{SITE}/.wh..wh..opq", b""), (FLASK, metadata("Flask", "3.1.3"))],
        [(FLASK, metadata("Flask", "3.1.3")), (f"{SITE}/.wh..wh..opq", b"")],
    ],
    ids=["other folder", "prefix", "reserved name", "folders", "brought anew", "brought anew, whiteout last"],
)
def test_a_whiteout_hides_no_more_than_it_says(upper: list[tuple[str, bytes | None]]) -> None:
    assert names(layer((FLASK, metadata("Flask", "3.1.3"))), layer(*upper)) == ["Flask"]


def test_the_upper_list_of_dpkg_is_the_one_that_holds_and_removed_packages_are_not_in_it() -> None:
    lower = layer((DPKG, paragraph("curl", "1") + paragraph("libc6", "1")))
    gone = paragraph("curl", "1", status="deinstall ok config-files")
    upper = layer((DPKG, gone + paragraph("libc6", "2", status="install ok unpacked")))
    assert [(each.name, each.version) for each in found(lower, upper).debian] == [("libc6", "2")]


def test_images_without_dpkg_itself_keep_one_file_for_each_package() -> None:
    stanza = b"Package: tzdata\nVersion: 2024a-0\nArchitecture: all\n"
    sums = b"d41d8cd98f00b204e9800998ecf8427e  usr/share/zoneinfo/UTC\n"
    image = layer((f"{DPKG}.d/tzdata", stanza), (f"{DPKG}.d/tzdata.md5sums", sums))
    assert found(image).debian == (DebianPackage("tzdata", "2024a-0", "all"),)


def test_a_hard_link_into_an_installers_cache_is_followed() -> None:
    cached = "root/.cache/uv/archive-v0/x/flask-3.1.3.dist-info/METADATA"
    image = layer((cached, metadata("Flask", "3.1.3", "License-Expression: MIT")), link(FLASK, cached))
    assert found(image).python == (PythonPackage("Flask", "3.1.3", SITE, "MIT"),)


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_where_metadata_cannot_be_read_the_name_of_its_folder_tells(kind: bytes) -> None:
    assert found(layer(link(FLASK, "nowhere", kind))).python == (PythonPackage("flask", "3.1.3", SITE),)


def test_bad_encodings_and_long_descriptions_are_read_over() -> None:
    data = b"Name: Flask\nVersion: 3.1.3\nAuthor: caf\xe9\n"
    image = layer((FLASK, data + b"\n" + b"x" * (1 << 20)), ("a\udcff/.wh.b", b""))
    assert found(image).python == (PythonPackage("Flask", "3.1.3", SITE),)


@pytest.mark.parametrize(
    "text", ["", "Proprietary, see LICENSE", "MIT " * 1000, "(" * 400 + "MIT" + ")" * 400, "MIT AND"]
)
def test_a_licence_that_is_no_expression_is_left_out(text: str) -> None:
    assert found(layer((FLASK, metadata("Flask", "3", f"License-Expression: {text}")))).python[0].license is None


class Reader(io.RawIOBase):
    """A stream as a registry gives it: it cannot seek, and gives less than it is asked for."""

    def __init__(self, data: bytes) -> None:
        self.rest = memoryview(data)

    def read(self, size: int = -1) -> bytes:
        part, self.rest = self.rest[: min(size, 700)], self.rest[min(size, 700) :]
        return bytes(part)


@pytest.mark.parametrize("compress", [False, True])
def test_a_stream_is_read_to_its_end_in_whatever_pieces_it_comes(compress: bool) -> None:
    data = layer(("big", bytes(5000)), (FLASK, metadata("Flask", "3")), ("more", b"x"), compress=compress).getvalue()
    reader = Reader(data + bytes(3000))
    assert names(reader) == ["Flask"]
    assert not reader.rest


def test_layers_are_opened_one_after_the_other() -> None:
    opened = []

    def layers() -> Iterator[BinaryIO]:
        for number in range(3):
            opened.append(number)
            stream = layer((f"{SITE}/p{number}-1.dist-info/METADATA", metadata(f"p{number}", "1")))
            yield stream
            assert not stream.read()

    assert [each.name for each in find_packages(layers(), image="x").python] == ["p0", "p1", "p2"]
    assert opened == [0, 1, 2]


@given(st.text())
def test_no_path_leads_out(path: str) -> None:
    cleaned = clean(path)
    assert not cleaned.startswith("/")
    assert ".." not in cleaned.split("/")


@given(st.lists(st.sampled_from(["..", ".", "", "a", "opt"]), max_size=6))
def test_a_path_with_dots_means_the_same_as_without(parts: list[str]) -> None:
    assert clean("/".join([*parts, "..", "..", "..", "..", "..", "..", FLASK])) == FLASK
