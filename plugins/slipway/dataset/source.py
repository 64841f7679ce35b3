"""The file a dataset is made from, brought to local disk and hashed on the way."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from slipway.core.errors import AbsentError, ConflictError
from slipway.storage.object_store import open_object, split_uri
from slipway.table.format import TableFormat, get_format

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Source:
    """A local file with the digest its bytes had when they were read.

    `path` is the source itself if that is local, else a copy in the work folder.
    """

    uri: str
    path: Path
    format: TableFormat
    sha256: str
    size_bytes: int
    stamp: tuple[int, int, int]

    def ensure_unchanged(self) -> None:
        """Raises ConflictError if the file was written to since it was hashed."""
        if not self.path.is_file() or _stamp(self.path) != self.stamp:
            raise ConflictError(
                "could not store the dataset",
                on=public_uri(self.uri),
                why="the file changed while it was being read",
                fix="Write it under another name and rename it when it is whole, then run again.",
            )


def fetch(uri: str, conn_id: str | None, work_dir: Path) -> Source:
    """Bring the file at `uri` here: a local one stays where it is, another is streamed into `work_dir`.

    Raises:
        ConfigurationError: not a supported format or scheme.
        AbsentError, DeniedError, UnavailableError: it cannot be read.
    """
    format_ = get_format(uri)
    try:
        if split_uri(uri)[0] == "file":
            return _hashed(uri, Path(split_uri(uri)[2]).expanduser(), format_)
        return _streamed(uri, conn_id, work_dir / f"source{format_.suffix}", format_)
    except (AbsentError, FileNotFoundError) as error:
        raise AbsentError(
            "could not fetch the dataset",
            on=public_uri(uri),
            why="there is no such file",
            fix="Check dataset.uri; in a backfill, it may be that there is no file for this run's date.",
        ) from error


def public_uri(uri: str) -> str:
    """`uri` without the query of a web address, which may hold a secret."""
    return uri.split("?", 1)[0] if uri.startswith(("http://", "https://")) else uri


def _hashed(uri: str, path: Path, format_: TableFormat) -> Source:
    if path.is_dir():
        raise FileNotFoundError(path)
    with path.open("rb") as file:
        stamp = _stamp(path)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Source(uri, path, format_, digest, stamp[2], stamp)


def _streamed(uri: str, conn_id: str | None, path: Path, format_: TableFormat) -> Source:
    store, key = open_object(uri, conn_id)
    digest = hashlib.sha256()
    with closing(store.stream(key)) as stream, path.open("wb") as file:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
    stamp = _stamp(path)
    return Source(uri, path, format_, digest.hexdigest(), stamp[2], stamp)


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size
