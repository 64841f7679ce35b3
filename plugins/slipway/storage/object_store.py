"""The interface every store offers, and `open_store`, which picks one by the URI's scheme."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from slipway.core.errors import ConfigurationError


@dataclass(frozen=True)
class Stored:
    """An object's bytes and the store's own version of it (an ETag or a generation) for compare-and-swap."""

    data: bytes
    version: str


class ObjectStore(Protocol):
    """Objects by key (a relative path with ``/``) below one root URI.

    Every method may raise DeniedError (no permission), UnavailableError (no or a broken answer) and
    AbsentError when the bucket does not exist.
    """

    uri: str

    def find(self, key: str) -> Stored | None:
        """The object with its version, or None."""

    def read(self, key: str) -> bytes:
        """The object. Raises AbsentError."""

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    def size(self, key: str) -> int:
        """Size in bytes. Raises AbsentError."""

    def stream(self, key: str) -> BinaryIO:
        """The object as a stream, read in memory that does not grow with it. Raises AbsentError."""

    def download(self, key: str, path: Path) -> None:
        """The object into a local file, streamed; `path` appears only when it is whole. Raises AbsentError."""

    def write(self, key: str, data: bytes) -> None:
        """Create or replace the object, all or nothing."""

    def upload(self, key: str, path: Path) -> None:
        """A local file as the object, streamed, all or nothing."""

    def create(self, key: str, data: bytes) -> str:
        """Create the object and return its version. Raises ConflictError if there is one already."""

    def swap(self, key: str, data: bytes, version: str) -> str:
        """Replace the object if it still has `version`; returns the new one. Raises ConflictError if it does not."""

    def delete(self, key: str, version: str | None = None) -> None:
        """Remove the object, if `version` is given only while it has it; absent is fine. Raises ConflictError."""

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that start with `prefix`, in lexical order."""


DEFAULT_CONNECTIONS = {"s3": "aws_default", "gs": "google_cloud_default", "abfs": "wasb_default"}


def split_uri(uri: str) -> tuple[str, str, str]:
    """``s3://bucket/some/key`` as ``("s3", "bucket", "some/key")``; a plain path has the scheme ``file``."""
    if "://" not in uri:
        return "file", "", uri
    scheme, rest = uri.split("://", 1)
    if scheme == "file":
        return scheme, "", rest
    host, _, key = rest.partition("/")
    return scheme, host, key


def open_store(uri: str, conn_id: str | None = None) -> ObjectStore:
    """The store behind `uri`; does no I/O yet.

    Args:
        uri: ``s3://bucket[/prefix]``, ``gs://bucket[/prefix]``, ``file:///folder`` or a path; ``https://host`` read-only.
        conn_id: Airflow connection, or None for the scheme's default.

    Raises:
        ConfigurationError: unknown scheme.
    """
    scheme, host, prefix = split_uri(uri)
    conn_id = conn_id or DEFAULT_CONNECTIONS.get(scheme, "")
    if scheme == "file":
        from slipway.storage.file_store import FileStore

        return FileStore(Path(prefix).expanduser())
    if scheme == "s3":
        from slipway.storage.s3_hook import S3Store

        return S3Store(host, prefix, conn_id)
    if scheme == "gs":
        from slipway.storage.gcs_hook import GcsStore

        return GcsStore(host, prefix, conn_id)
    if scheme in {"http", "https"}:
        from slipway.storage.http_store import HttpStore

        return HttpStore(f"{scheme}://{host}", prefix)
    raise ConfigurationError(
        "could not open the store",
        on=uri,
        why=f"no store for the scheme {scheme!r} in this version",
        fix="Use s3://, gs://, file:// or a path (https:// to read a dataset).",
    )


def open_object(uri: str, conn_id: str | None = None) -> tuple[ObjectStore, str]:
    """The store and the key of one object, e.g. a dataset's source; does no I/O yet.

    Raises:
        ConfigurationError: unknown scheme, or `uri` cannot be the address of one file.
    """
    scheme, host, key = split_uri(uri)
    if problem := _find_problem(scheme, host, key):
        fix = "Correct dataset.uri, or what was typed into the trigger form."
        raise ConfigurationError("could not tell which file is meant", on=repr(uri), why=problem, fix=fix)
    if scheme == "file":
        path = Path(key).expanduser()
        return open_store(str(path.parent), conn_id), path.name
    return open_store(f"{scheme}://{host}", conn_id), key


def _find_problem(scheme: str, host: str, key: str) -> str | None:
    """What is wrong with the parts of a file's address, or None."""
    if not (key and key.isprintable() and host.isprintable()):
        return "it holds a character that no name has" if key else "it names no file"
    if scheme != "file" and not host:
        return f"{scheme}:// is followed by the name of a bucket or a host"
    if scheme in {"http", "https"}:
        try:
            urlsplit(f"{scheme}://{host}").port  # noqa: B018  raises where it is no number
        except ValueError as error:
            return f"{host} is no host and port ({error})"
    return None
