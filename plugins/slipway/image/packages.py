"""Which Python and Debian packages an image holds, from its layers, without starting it.

Listed is what `pip freeze` and `dpkg-query` would list: a Python distribution directly in a folder `site-packages` or
`dist-packages`, of whichever interpreter, and what dpkg has installed. Copies that a package carries inside itself are not.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import BinaryIO

from slipway.core.errors import RejectedError
from slipway.image.layer_files import BrokenLayerError, LayerFile, read_layer
from slipway.image.overlay import Overlay
from slipway.image.package_records import DebianPackage, Distro, PythonPackage, parse_debian, parse_distro, parse_python

_PACKAGE_FOLDERS = ("site-packages", "dist-packages")
_DPKG = "var/lib/dpkg/status"
_OS_RELEASE = (
    "etc/os-release",
    "usr/lib/os-release",
)  # by rank, os-release(5); the first is mostly a link to the second
_MAX_HEAD_BYTES = 256 << 10  # of a METADATA file the head is read; the description that follows is not
_MAX_DPKG_BYTES = 16 << 20

Finding = PythonPackage | tuple[DebianPackage, ...] | Distro


@dataclass(frozen=True)
class ImagePackages:
    """The packages of an image, each tuple sorted and without repetitions."""

    python: tuple[PythonPackage, ...]
    debian: tuple[DebianPackage, ...]
    distro: Distro


def find_packages(layers: Iterable[BinaryIO], *, image: str) -> ImagePackages:
    """The packages in a stack of layers.

    Args:
        layers: the bottom one first; each a tar stream, plain or gzip, which need not be able to seek. A layer is read once,
            from front to back and to its end, before the next one is asked for.
        image: what an error names.

    Raises:
        RejectedError: a layer is damaged, cut short, compressed with zstd, or made to do harm.
    """
    overlay: Overlay[Finding] = Overlay()
    for number, layer in enumerate(layers, 1):
        try:
            for file in read_layer(layer):
                _take_note(overlay, file)
        except BrokenLayerError as error:
            raise RejectedError(
                "could not list the packages of an image",
                on=f"layer {number} of {image}",
                why=str(error),
                fix="Build or pull the image anew; if it is somebody else's, use another base image.",
            ) from error
        overlay.end_layer()
    return _gather(overlay)


def _take_note(overlay: Overlay[Finding], file: LayerFile) -> None:
    if not overlay.apply(file) or file.is_folder:
        return
    if _is_python_record(file.path):
        overlay.add(file.path, _python_package(overlay, file))
    elif file.path == _DPKG or (file.path.startswith(f"{_DPKG}.d/") and not file.path.endswith(".md5sums")):
        packages = parse_debian(_whole(file))
        overlay.add(file.path, packages, len(packages))
    elif file.path in _OS_RELEASE and file.is_regular:
        overlay.add(file.path, parse_distro(file.read(_MAX_HEAD_BYTES)))


def _is_python_record(path: str) -> bool:
    """Anywhere, not in package folders alone: a record there may be a hard link to one in an installer's cache."""
    return path.endswith((".dist-info/METADATA", ".egg-info/PKG-INFO", ".egg-info"))


def _python_package(overlay: Overlay[Finding], file: LayerFile) -> PythonPackage:
    twin = overlay.find(file.hard_link) if file.hard_link is not None else None
    if isinstance(twin, PythonPackage):
        return replace(twin, folder=parse_python(file.path, b"").folder)
    return parse_python(file.path, file.read(_MAX_HEAD_BYTES) if file.is_regular else b"")


def _whole(file: LayerFile) -> bytes:
    if not file.is_regular:
        raise BrokenLayerError(f"{file.path!r} is a link")
    data = file.read(_MAX_DPKG_BYTES + 1)
    if len(data) > _MAX_DPKG_BYTES:
        raise BrokenLayerError(f"{file.path!r} is larger than {_MAX_DPKG_BYTES} bytes")
    return data


def _gather(overlay: Overlay[Finding]) -> ImagePackages:
    python: set[PythonPackage] = set()
    debian: set[DebianPackage] = set()
    distros: dict[str, Distro] = {}
    for path, finding in overlay.items():
        if isinstance(finding, PythonPackage):
            python |= {finding} if _is_installed(finding, path) else set()
        elif isinstance(finding, Distro):
            distros[path] = finding
        else:
            debian.update(finding)
    distro = next((distros[path] for path in _OS_RELEASE if path in distros), Distro())
    return ImagePackages(tuple(sorted(python, key=_python_order)), tuple(sorted(debian, key=_debian_order)), distro)


def _is_installed(package: PythonPackage, path: str) -> bool:
    """A folder ``~ame-1.0.dist-info`` is what pip leaves of an uninstallation that was interrupted."""
    return posixpath.basename(package.folder) in _PACKAGE_FOLDERS and f"{package.folder}/~" not in path


def _python_order(package: PythonPackage) -> tuple[str, str, str]:
    return package.name.lower(), package.version, package.folder


def _debian_order(package: DebianPackage) -> tuple[str, str, str]:
    return package.name, package.version, package.architecture or ""
