"""The records that installers leave: what they say of each package. Bytes in, values out.

Core metadata of Python packages 2.4, the deb822 format of dpkg's status file, os-release(5). The bytes come from an image
that somebody else made: bad encodings are replaced, names that are no names are refused.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import InvalidName, canonicalize_name

from slipway.image.layer_files import BrokenLayerError

_VERSION = re.compile(r"[!-~]{1,200}")
_DEBIAN_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{0,200}")
_SOURCE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]*)(?: \((?P<version>[!-~]+)\))?")
_DISTRO_WORD = re.compile(r"[a-z0-9._-]{1,50}")
_MAX_LICENSE_LENGTH = 500
_DPKG_FIELDS = {name.encode(): name for name in ("Package", "Version", "Architecture", "Source", "Status")}
_NO_FILES_LEFT = ("not-installed", "config-files")  # states in dpkg(1) in which a package's programs are gone


@dataclass(frozen=True)
class PythonPackage:
    """A Python distribution: its name as it spells it, its folder, its licence as an SPDX expression where it has one."""

    name: str
    version: str
    folder: str
    license: str | None = None


@dataclass(frozen=True)
class DebianPackage:
    """A Debian package; `source` is what security notices are about, ``name`` or ``name@version`` where they differ."""

    name: str
    version: str
    architecture: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Distro:
    """The distribution, from os-release: ``debian`` and ``12``."""

    id: str = "debian"
    version: str | None = None


def parse_python(path: str, data: bytes) -> PythonPackage:
    """From METADATA, PKG-INFO or an .egg-info file at `path`; where it is silent the name of its folder speaks.

    Raises:
        BrokenLayerError: neither says a name.
    """
    info = path if path.endswith(".egg-info") else posixpath.dirname(path)
    folder, stem = posixpath.dirname(info), posixpath.splitext(posixpath.basename(info))[0]
    head = data.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]
    fields = HeaderParser().parsestr(head)
    stem_name, _, rest = stem.partition("-")
    name = next((name for name in (fields.get("Name", "").strip(), stem_name) if _is_python_name(name)), None)
    if name is None:
        raise BrokenLayerError(f"the Python package at {path[-200:]!r} has no name")
    versions = (fields.get("Version", "").strip(), rest.partition("-")[0])
    version = next((text for text in versions if _VERSION.fullmatch(text)), "")
    expression = _license(fields.get("License-Expression") or fields.get("License") or "")
    return PythonPackage(name, version, folder, expression)


def _is_python_name(name: str) -> bool:
    try:
        canonicalize_name(name, validate=True)
    except InvalidName:
        return False
    return len(name) <= 200


def _license(text: str) -> str | None:
    """The older field `License` is free text, and often an SPDX name all the same; anything else is left out."""
    if not 0 < len(text) <= _MAX_LICENSE_LENGTH:
        return None
    try:
        return str(canonicalize_license_expression(text.strip()))
    except (InvalidLicenseExpression, SyntaxError, RecursionError, MemoryError):
        return None


def parse_debian(data: bytes) -> tuple[DebianPackage, ...]:
    """From dpkg's status file, or one file of status.d (distroless images), which has no `Status`.

    Raises:
        BrokenLayerError: a paragraph has no name or no version.
    """
    return tuple(_debian_package(fields) for fields in _paragraphs(data) if _is_installed(fields))


def _paragraphs(data: bytes) -> Iterator[dict[str, str]]:
    """The wanted fields of each paragraph, one at a time: the file may be long."""
    fields: dict[str, str] = {}
    for line in io.BytesIO(data):
        key, colon, value = line.partition(b":")
        if colon and key in _DPKG_FIELDS:
            fields[_DPKG_FIELDS[key]] = value.decode("utf-8", "replace").strip()
        elif fields and not line.strip():
            yield fields
            fields = {}
    if fields:
        yield fields


def _is_installed(fields: dict[str, str]) -> bool:
    return not fields.get("Status", "").endswith(_NO_FILES_LEFT)


def _debian_package(fields: dict[str, str]) -> DebianPackage:
    name, version = fields.get("Package", ""), fields.get("Version", "")
    if not _DEBIAN_NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise BrokenLayerError(f"dpkg's list has a package {name[:50]!r} of version {version[:50]!r}")
    source = _SOURCE.fullmatch(fields.get("Source", "")[:400])
    upstream = "@".join(part for part in source.group("name", "version") if part) if source else None
    architecture = fields.get("Architecture", "")
    return DebianPackage(name, version, architecture if _DISTRO_WORD.fullmatch(architecture) else None, upstream)


def parse_distro(data: bytes) -> Distro:
    """From os-release; what is missing there stays at its default."""
    lines = (line.partition("=") for line in data.decode("utf-8", "replace").split("\n"))
    found = {key: value.strip().strip("'\"") for key, _, value in lines if key in {"ID", "VERSION_ID"}}
    known = {key: value for key, value in found.items() if _DISTRO_WORD.fullmatch(value)}
    return Distro(known.get("ID", "debian"), known.get("VERSION_ID"))
