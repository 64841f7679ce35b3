"""A folder as an object store: for one machine, for tests, and for `file://`."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from slipway.core.errors import (
    AbsentError,
    ConfigurationError,
    ConflictError,
    DeniedError,
    SlipwayError,
    UnavailableError,
)
from slipway.storage.object_store import Stored

_LOCK = ".lock"  # hidden from keys(); compare-and-swap between processes needs one lock for the folder


class FileStore:
    """Objects as files below `root`; an object appears by an atomic rename, so a reader never sees half of one."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.uri = str(root)

    def find(self, key: str) -> Stored | None:
        """The object with its version, the SHA-256 of its bytes, or None."""
        path = self._path(key)
        with _translated("read", path):
            if not path.is_file():
                return None
            data = path.read_bytes()
        return Stored(data, hashlib.sha256(data).hexdigest())

    def read(self, key: str) -> bytes:
        """The object. Raises AbsentError."""
        with self.stream(key) as stream:
            return stream.read()

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        return self._path(key).is_file()

    def size(self, key: str) -> int:
        """Size in bytes. Raises AbsentError."""
        path = self._path(key)
        with _translated("read", path):
            if path.is_dir():
                raise FileNotFoundError(errno.ENOENT, "it is a folder, not a file", str(path))
            return path.stat().st_size

    def stream(self, key: str) -> BinaryIO:
        """The object as a stream. Raises AbsentError."""
        with _translated("read", self._path(key)):
            return self._path(key).open("rb")

    def download(self, key: str, path: Path) -> None:
        """Copy the object to `path`, which appears only when whole. Raises AbsentError."""
        with self.stream(key) as stream:
            _place(stream, path)

    def write(self, key: str, data: bytes) -> None:
        """Create or replace the object."""
        path = self._path(key)
        with _translated("write", path):
            _place(io.BytesIO(data), path)

    def upload(self, key: str, path: Path) -> None:
        """Copy the file at `path` into the store."""
        with _translated("write", self._path(key)), path.open("rb") as stream:
            _place(stream, self._path(key))

    def create(self, key: str, data: bytes) -> str:
        """Create the object. Raises ConflictError if there is one already."""
        with self._locked():
            if self.exists(key):
                raise _conflict("create", self._path(key), "it exists already")
            self.write(key, data)
        return hashlib.sha256(data).hexdigest()

    def swap(self, key: str, data: bytes, version: str) -> str:
        """Replace the object if it still has `version`. Raises ConflictError if it does not."""
        with self._locked():
            self._expect(key, version)
            self.write(key, data)
        return hashlib.sha256(data).hexdigest()

    def delete(self, key: str, version: str | None = None) -> None:
        """Remove the object; absent is fine. Raises ConflictError if `version` is given and not the current one."""
        with self._locked(), _translated("delete", self._path(key)):
            if version is not None and self.exists(key):
                self._expect(key, version)
            self._path(key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that start with `prefix`, in lexical order."""
        folder = self._path(prefix + "x").parent
        found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        yield from sorted(key for path in found if (key := path.relative_to(self._root).as_posix()).startswith(prefix))

    def _expect(self, key: str, version: str) -> None:
        found = self.find(key)
        if found is None or found.version != version:
            raise _conflict("replace", self._path(key), "it changed since it was read")

    def _path(self, key: str) -> Path:
        path = Path(os.path.normpath(self._root / key))
        if self._root != path and Path(os.path.normpath(self._root)) not in path.parents:
            raise ConfigurationError(
                "could not use the object", on=key, why=f"it leads out of {self._root}", fix="Use a plain key."
            )
        return path

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _translated("write", self._root):
            self._root.mkdir(parents=True, exist_ok=True)
            lock = (self._root / _LOCK).open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _place(stream: BinaryIO, path: Path) -> None:
    """Write a stream beside `path`, flush it to disk, and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as part:
        try:
            shutil.copyfileobj(stream, part, 1024 * 1024)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def _conflict(verb: str, path: Path, why: str) -> ConflictError:
    return ConflictError(f"could not {verb} the object", on=str(path), why=why, fix="Read it again and decide anew.")


@contextmanager
def _translated(verb: str, path: Path) -> Iterator[None]:
    kinds: list[tuple[type[OSError], type[SlipwayError], str]] = [
        (FileNotFoundError, AbsentError, "Check the path; for a backfill, whether that date has a file."),
        (PermissionError, DeniedError, "Give the user of the Airflow worker access to it."),
        (OSError, UnavailableError, "Check the disk, then run again."),
    ]
    try:
        yield
    except OSError as error:
        kind, fix = next((kind, fix) for cause, kind, fix in kinds if isinstance(error, cause))
        raise kind(f"could not {verb} the object", on=str(path), why=error.strerror or str(error), fix=fix) from error
