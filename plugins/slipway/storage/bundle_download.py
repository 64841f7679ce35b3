"""A bundle from the store onto this machine: every file checked against the digest that the decision named."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from slipway.core.errors import RejectedError
from slipway.core.identity import sha256_hex
from slipway.storage.object_store import ObjectStore


def ensure_bundle(store: ObjectStore, key: str, digest: str, folder: Path) -> Path:
    """The folder with the bundle, downloaded unless it is there.

    Args:
        store: below `<store>/<model>/`.
        key: ``models/<model id>/``.
        digest: ``sha256:<hex>`` of its manifest.
        folder: holds one folder per bundle.

    Raises:
        AbsentError: the store does not have it.
        RejectedError: a file is not the one that was trained.
    """
    target = folder / digest.removeprefix("sha256:")
    if target.exists():
        return target
    part = folder / f".part-{target.name}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    manifest = store.read(f"{key}manifest.json")
    _expect(f"{store.uri}/{key}manifest.json", sha256_hex(manifest), digest.removeprefix("sha256:"))
    (part / "manifest.json").write_bytes(manifest)
    for name, entry in json.loads(manifest)["files"].items():
        store.download(f"{key}{name}", part / Path(name).name)
        with (part / Path(name).name).open("rb") as stream:
            _expect(f"{store.uri}/{key}{name}", hashlib.file_digest(stream, "sha256").hexdigest(), entry["sha256"])
    part.replace(target)
    return target


def keep_bundles(folder: Path, digests: set[str]) -> None:
    """Remove all bundles but these; the one before the last stays for an instant way back."""
    names = {digest.removeprefix("sha256:") for digest in digests}
    for path in folder.glob("*"):
        if path.name not in names:
            shutil.rmtree(path, ignore_errors=True)


def _expect(on: str, found: str, expected: str) -> None:
    if found != expected:
        raise RejectedError(
            "could not take the bundle into service",
            on=on,
            why=f"its sha256 is {found}, expected {expected}",
            fix="Somebody changed it after training; train again under another seed, or restore the object.",
        )
