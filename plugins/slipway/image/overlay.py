"""What upper layers leave of what lower ones brought: the whiteouts of the OCI image specification 1.1 (layer.md)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from slipway.image.layer_files import BrokenLayerError, LayerFile

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_RESERVED = ".wh..wh."
# Together they bound what a hostile layer can make us keep; the largest images list some thousands of packages.
_MAX_PACKAGES = 50_000
_MAX_PATH_LENGTH = 1024

Finding = TypeVar("Finding")


class Overlay(Generic[Finding]):
    """What was found at which path, layer upon layer, bottom first."""

    def __init__(self) -> None:
        self._lower: dict[str, Finding] = {}
        self._layer: dict[str, Finding] = {}
        self._lower_paths: set[str] = set()
        self._count = 0

    def apply(self, file: LayerFile) -> bool:
        """Let a member hide what it hides in the layers below. Returns whether it is a file of its own, no whiteout."""
        folder, name = posixpath.split(file.path)
        if name == _OPAQUE:
            self._remove(folder, itself=False)
        elif name.startswith(_WHITEOUT):
            if not name.startswith(_RESERVED):
                self._remove(posixpath.join(folder, name.removeprefix(_WHITEOUT)))
        else:
            # A folder replaces a file of its name, and joins a folder; anything else also hides what is below.
            self._remove(file.path, below=not file.is_folder)
            return True
        return False

    def add(self, path: str, finding: Finding, count: int = 1) -> None:
        """Something found in the present layer, which tells of `count` packages.

        Raises:
            BrokenLayerError: more was found than an image can sensibly hold.
        """
        self._layer[path] = finding
        self._count += count
        if self._count > _MAX_PACKAGES:
            raise BrokenLayerError(f"it lists more than {_MAX_PACKAGES} packages")
        if len(path) > _MAX_PATH_LENGTH:
            raise BrokenLayerError(f"it lists a package at a path of {len(path)} characters")

    def find(self, path: str) -> Finding | None:
        """What is at a path now; the present layer first."""
        return self._layer.get(path, self._lower.get(path))

    def end_layer(self) -> None:
        """The present layer is complete; the next one lies above it."""
        self._lower |= self._layer
        self._layer = {}
        self._lower_paths = set(_with_parents(self._lower))

    def items(self) -> list[tuple[str, Finding]]:
        """All that is left, by path; after `end_layer`."""
        return sorted(self._lower.items(), key=lambda item: item[0])

    def _remove(self, path: str, *, itself: bool = True, below: bool = True) -> None:
        if path not in self._lower_paths:  # true of nearly every member, so a look at all findings is rare
            return
        if not below:
            self._lower.pop(path, None)
            return
        start = f"{path}/" if path else ""
        self._lower = {
            each: finding
            for each, finding in self._lower.items()
            if not each.startswith(start) and not (itself and each == path)
        }
        self._lower_paths = set(_with_parents(self._lower))


def _with_parents(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        yield path
        while path:
            path = posixpath.dirname(path)  # noqa: PLW2901  walks up to the root, which is ""
            yield path
