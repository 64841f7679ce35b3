"""A bundle on disk: checked whole against its digest before anything in it is read, loaded or unpickled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_server.errors import BundleError


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every file has the digest that its manifest gives, and whose manifest has the digest we were given."""

    folder: Path
    digest: str
    metadata: dict[str, Any]
    golden: dict[str, Any]


def open_bundle(folder: Path, digest: str) -> Bundle:
    """Check and open the bundle in `folder`.

    Raises:
        BundleError: a file is missing or is not the one that was trained; names the file and both digests.
    """
    manifest = _read(folder / "manifest.json")
    _expect(folder / "manifest.json", f"sha256:{hashlib.sha256(manifest).hexdigest()}", digest)
    for name, entry in json.loads(manifest)["files"].items():
        if Path(name).name != name:
            raise BundleError(f"{folder}: the manifest names {name!r}, which is not a plain file name")
        _expect(folder / name, _sha256(folder / name), entry["sha256"])
    return Bundle(
        folder=folder,
        digest=digest,
        metadata=json.loads(_read(folder / "metadata.json")),
        golden=json.loads(_read(folder / "golden.json")),
    )


def _expect(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise BundleError(f"{path}: its digest is {found}, expected {expected}; deploy the bundle again from the store")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(
            f"{path}: cannot be read ({error.strerror}); deploy the bundle again from the store"
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{path}: cannot be read ({error.strerror}); deploy the bundle again from the store"
        ) from error
