"""A bundle on disk: every file checked against its digest, and used only as the bytes that were checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_server.errors import BundleError

_FIX = "deploy the bundle again from the store"
_RUNTIME_FILES = {"onnx": "model.onnx", "joblib": "model.joblib"}
_METADATA = (
    "model",
    "model_id",
    "dataset_id",
    "task",
    "target",
    "features",
    "classes",
    "runtime",
    "versions",
    "created",
)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every file has the digest that its manifest gives, and whose manifest has the digest we were given.

    Attributes:
        digest: of the manifest, ``sha256:<hex>``.
        metadata: see `core/bundle.py` of the pipeline.
        golden: rows and the answers to them.
        model: the bytes of the file that serves. They are what was checked: nobody can change the file in between.
    """

    digest: str
    metadata: dict[str, Any]
    golden: dict[str, Any]
    model: bytes


def open_bundle(folder: Path, digest: str) -> Bundle:
    """Check and open the bundle in `folder`.

    Raises:
        BundleError: a file is missing, or is not the one that was trained, or the metadata is of no kind that we know.
    """
    manifest = _read(folder / "manifest.json")
    _expect(folder / "manifest.json", f"sha256:{hashlib.sha256(manifest).hexdigest()}", digest)
    files = _digests(_object(folder / "manifest.json", manifest), folder)
    metadata = _object(folder / "metadata.json", _checked(folder, files, "metadata.json"))
    if missing := [name for name in _METADATA if name not in metadata]:
        raise BundleError(f"{folder / 'metadata.json'}: it has no {missing[0]!r}; train the model again")
    served = _RUNTIME_FILES.get(str(metadata["runtime"]))
    if served is None:
        known = " or ".join(_RUNTIME_FILES)
        raise BundleError(f"{folder / 'metadata.json'}: runtime {metadata['runtime']!r:.40}, this server runs {known}")
    for name in files:
        if name not in {"metadata.json", "golden.json", served}:
            _check(folder, files, name)
    golden = _object(folder / "golden.json", _checked(folder, files, "golden.json"))
    return Bundle(digest, metadata, golden, _checked(folder, files, served))


def _object(path: Path, data: bytes) -> dict[str, Any]:
    """A JSON object that has the right digest, which says only that it came so from training."""
    try:
        found = json.loads(data)
    except ValueError as error:
        raise BundleError(f"{path}: it is not JSON; train the model again") from error
    if not isinstance(found, dict):
        raise BundleError(f"{path}: it is no JSON object; train the model again")
    return found


def _digests(manifest: dict[str, Any], folder: Path) -> dict[str, str]:
    try:
        return {name: str(entry["sha256"]) for name, entry in manifest["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{folder / 'manifest.json'}: it lists no files with their sha256; train again") from error


def _checked(folder: Path, files: Mapping[str, str], name: str) -> bytes:
    """The bytes of a file, once they have the digest of the manifest."""
    data = _read(folder / name)
    _expect(folder / name, hashlib.sha256(data).hexdigest(), _entry(folder, files, name))
    return data


def _check(folder: Path, files: Mapping[str, str], name: str) -> None:
    if Path(name).name != name:
        raise BundleError(f"{folder}: the manifest names {name!r}, which is not a plain file name")
    try:
        with (folder / name).open("rb") as stream:
            _expect(folder / name, hashlib.file_digest(stream, "sha256").hexdigest(), files[name])
    except OSError as error:
        raise BundleError(f"{folder / name}: cannot be read ({error.strerror}); {_FIX}") from error


def _entry(folder: Path, files: Mapping[str, str], name: str) -> str:
    if name not in files:
        raise BundleError(f"{folder / 'manifest.json'}: it does not list {name}; train the model again")
    return files[name]


def _expect(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise BundleError(f"{path}: its digest is {found}, expected {expected}; {_FIX}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); {_FIX}") from error
