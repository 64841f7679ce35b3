"""A model's files in its store: fetched only with their SHA-256 checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from slipway.core.bundle import (
    JOBLIB_MODEL,
    MANIFEST,
    METADATA,
    ONNX_MODEL,
    FileEntry,
    Manifest,
    Metadata,
    bundle_digest,
)
from slipway.core.errors import RejectedError
from slipway.core.identity import sha256_hex
from slipway.storage.object_store import ObjectStore

FIT = "fit.json"
_FIX = f"Find out who wrote to the store; then delete that model's {FIT} and {MANIFEST} there, and clear train_model."


def model_key(model_id: str) -> str:
    """The prefix of a model's bundle below ``<store>/<model>/``."""
    return f"models/{model_id}/"


def holdout_key(model_id: str) -> str:
    """The rows a model was measured on; beside the bundle, not in it: serving must not carry data."""
    return f"evaluations/{model_id}/holdout.npz"


def scores_key(model_id: str) -> str:
    """The model's answers to those rows."""
    return f"evaluations/{model_id}/scores.npz"


def file_entry(path: Path) -> FileEntry:
    """SHA-256 and size of a local file."""
    with path.open("rb") as stream:
        return FileEntry(sha256=hashlib.file_digest(stream, "sha256").hexdigest(), size_bytes=path.stat().st_size)


def check_file(path: Path, sha256: str, fix: str = _FIX) -> None:
    """Raises RejectedError unless the file at `path` has that SHA-256."""
    check_sha256(path.name, file_entry(path).sha256, sha256, fix)


def check_sha256(name: str, found: str, expected: str, fix: str = _FIX) -> None:
    """Raises RejectedError unless the two are the same."""
    if found != expected:
        why = f"its SHA-256 is {found}, expected {expected}: it changed after it was written"
        raise RejectedError("could not use the stored file", on=name, why=why, fix=fix)


def fetch_files(store: ObjectStore, prefix: str, files: Mapping[str, str], folder: Path) -> None:
    """Download `files` (name to SHA-256) below `prefix` into `folder`.

    Raises:
        AbsentError: one is missing.
        RejectedError: one has another SHA-256.
    """
    for name, sha256 in files.items():
        store.download(prefix + name, folder / name)
        check_file(folder / name, sha256)


def fetch_bundle(store: ObjectStore, prefix: str, folder: Path) -> None:
    """Download what `open_bundle` needs: manifest, metadata and the file of the runtime; `open_bundle` checks them."""
    store.download(prefix + MANIFEST, folder / MANIFEST)
    store.download(prefix + METADATA, folder / METADATA)
    # Read before it is checked: it only chooses which of two names to download.
    runtime = Metadata.model_validate_json((folder / METADATA).read_bytes()).runtime
    name = ONNX_MODEL if runtime == "onnx" else JOBLIB_MODEL
    store.download(prefix + name, folder / name)


class Bundle(NamedTuple):
    """A complete bundle in the store."""

    digest: str
    metadata: Metadata


def find_bundle(store: ObjectStore, model_id: str) -> Bundle | None:
    """Digest and metadata of a complete bundle, or None. Raises RejectedError: the metadata is not the manifest's."""
    found = find_manifest(store, model_id)
    if found is None:
        return None
    manifest, data = found
    metadata = store.read(model_key(model_id) + METADATA)
    check_sha256(METADATA, sha256_hex(metadata), manifest.files[METADATA].sha256)
    return Bundle(bundle_digest(data), Metadata.model_validate_json(metadata))


def find_manifest(store: ObjectStore, model_id: str) -> tuple[Manifest, bytes] | None:
    """The manifest of a complete bundle and its bytes, or None."""
    stored = store.find(model_key(model_id) + MANIFEST)
    return (Manifest.model_validate_json(stored.data), stored.data) if stored else None
