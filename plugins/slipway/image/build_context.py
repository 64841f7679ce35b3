"""The two build contexts: the serving folder for the base, and the bundle's layer for a model's image."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from slipway.core.identity import content_id, sha256_hex
from slipway.image.layer import Layer
from slipway.image.recipe import Recipe

_IGNORE_FILE = ".dockerignore"


def serving_files(serving: Path) -> list[Path]:
    """What goes into the base's build: the Dockerfile and what .dockerignore lets in (its lines with "!"); sorted."""
    lines = (serving / _IGNORE_FILE).read_text().splitlines()
    roots = [serving / name for name in ("Dockerfile", _IGNORE_FILE, *(line[1:] for line in lines if line[:1] == "!"))]
    below = (path for root in roots for path in (root.rglob("*") if root.is_dir() else [root]))
    return sorted(path for path in below if path.is_file() and "__pycache__" not in path.parts)


def serving_id(serving: Path, build_args: dict[str, str]) -> str:
    """The identity of a base: the content of its files and its build arguments."""
    digests = {str(path.relative_to(serving)): sha256_hex(path.read_bytes()) for path in serving_files(serving)}
    return content_id({"files": digests, "build_args": build_args})


@contextmanager
def base_context(serving: Path) -> Iterator[BinaryIO]:
    """The context of the serving base."""
    with _context((str(path.relative_to(serving)), path) for path in serving_files(serving)) as context:
        yield context


@contextmanager
def model_context(layer: Layer, recipe: Recipe) -> Iterator[BinaryIO]:
    """The context of a model's image. ADD unpacks the layer as it is, so that the engine's layer has the same bytes."""
    variables = "".join(f"ENV {name}={value}\n" for name, value in recipe.environment.items())
    dockerfile = f"ARG BASE\nFROM ${{BASE}}\nADD layer.tar /\n{variables}"
    with _context([("Dockerfile", dockerfile.encode()), ("layer.tar", layer.path)]) as context:
        yield context


@contextmanager
def _context(members: Iterable[tuple[str, Path | bytes]]) -> Iterator[BinaryIO]:
    """A tar with these members, of files or bytes; times and owners of this machine stay out, so that caches hit."""
    with tempfile.TemporaryFile() as stream:
        with tarfile.open(fileobj=stream, mode="w") as tar:
            for name, content in members:
                _add(tar, name, content)
        stream.seek(0)
        yield stream


def _add(tar: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    if isinstance(content, bytes):
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
        return
    entry.size = content.stat().st_size
    with content.open("rb") as source:
        tar.addfile(entry, source)
