"""An OCI image layout on disk (image-spec 1.1, image-layout.md), as a source of images; reads what `Registry` reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from slipway.containers.descriptor import OCI_INDEX, Manifest, digest_of
from slipway.containers.repository import DIGEST
from slipway.core.errors import AbsentError, RejectedError

_REF_NAME = "org.opencontainers.image.ref.name"


class Layout:
    """The images of one folder. Raises RejectedError where a file is not what its digest says, AbsentError without it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get_manifest(self, reference: str) -> Manifest:
        """The manifest of a digest or a reference name; ``""`` is the only image of a layout that has one."""
        if DIGEST.fullmatch(reference):
            return Manifest(self.read_blob(reference), self._media_type(reference))
        found = [item for item in self._listed() if reference in {"", item.get("annotations", {}).get(_REF_NAME)}]
        if len(found) != 1:
            names = ", ".join(str(item.get("annotations", {}).get(_REF_NAME)) for item in self._listed())
            why = f"{len(found) or 'no'} images are called {reference!r}; it has {names or 'none'}"
            raise AbsentError("could not read the image", on=str(self._folder), why=why, fix="Name one of them.")
        return Manifest(self.read_blob(found[0]["digest"]), found[0].get("mediaType", OCI_INDEX))

    def read_blob(self, digest: str) -> bytes:
        """A small blob."""
        try:
            data = self._path(digest).read_bytes()
        except OSError as error:
            raise self._absent(digest, error) from error
        self._expect(digest, digest_of(data))
        return data

    @contextmanager
    def open_blob(self, digest: str) -> Iterator[BinaryIO]:
        """A blob as a stream, checked before it is given."""
        try:
            stream = self._path(digest).open("rb")
        except OSError as error:
            raise self._absent(digest, error) from error
        with stream:
            self._expect(digest, f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}")
            stream.seek(0)
            yield stream

    def _listed(self) -> list[dict[str, Any]]:
        try:
            return list(json.loads((self._folder / "index.json").read_bytes())["manifests"])
        except (OSError, ValueError, KeyError) as error:
            fix = "Make one, e.g. skopeo copy docker://<image> oci:<folder>."
            raise AbsentError(
                "could not read the image", on=str(self._folder), why=f"it is no OCI layout ({error})", fix=fix
            ) from error

    def _media_type(self, digest: str) -> str:
        value = json.loads(self.read_blob(digest))
        return str(value.get("mediaType", OCI_INDEX if "manifests" in value else ""))

    def _path(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise RejectedError(
                "could not read the image",
                on=str(self._folder),
                why=f"{digest!r:.80} is no digest",
                fix="Make it anew.",
            )
        return self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def _absent(self, digest: str, error: OSError) -> AbsentError:
        why = f"it has no {digest} ({error.strerror})"
        return AbsentError("could not read the image", on=str(self._folder), why=why, fix="Copy the image there again.")

    def _expect(self, digest: str, found: str) -> None:
        if digest != found:
            why = f"the file of {digest} has the digest {found}"
            raise RejectedError("could not read the image", on=str(self._folder), why=why, fix="Copy it there again.")
