"""A web server as a read-only store: a dataset's source by https:// (or http://). Standard library."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from slipway.core.errors import AbsentError, ConfigurationError, DeniedError, SlipwayError, UnavailableError
from slipway.storage.object_store import Stored

_TIMEOUT_SECONDS = 60


class HttpStore:
    """Objects below ``https://host/prefix``; reading only."""

    def __init__(self, origin: str, prefix: str) -> None:
        self.uri = f"{origin}/{prefix}".rstrip("/")

    def find(self, key: str) -> Stored | None:
        """The object with its ETag, or None."""
        try:
            with self._open(key) as answer:
                return Stored(answer.read(), str(answer.headers.get("ETag", "")))
        except AbsentError:
            return None

    def read(self, key: str) -> bytes:
        """The object. Raises AbsentError."""
        with self._open(key) as answer:
            return cast("bytes", answer.read())

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            self.size(key)
        except AbsentError:
            return False
        return True

    def size(self, key: str) -> int:
        """Size in bytes, -1 where the server does not tell. Raises AbsentError."""
        with self._open(key, "HEAD") as answer:
            return int(answer.headers.get("Content-Length") or -1)

    def stream(self, key: str) -> BinaryIO:
        """The object from the socket. Raises AbsentError."""
        return cast("BinaryIO", self._open(key))

    def download(self, key: str, path: Path) -> None:
        """The object into a file, which appears only when it is whole. Raises AbsentError, UnavailableError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".part-{path.name}")
        with self._open(key) as answer, part.open("wb") as stream:
            shutil.copyfileobj(answer, stream, 1024 * 1024)
            expected = int(answer.headers.get("Content-Length") or stream.tell())
            if stream.tell() != expected:
                why = f"the connection ended after {stream.tell():,} of {expected:,} bytes"
                raise UnavailableError("could not read", on=self._url(key), why=why, fix="Run again.")
        part.replace(path)

    def write(self, key: str, _data: bytes) -> NoReturn:
        """Not possible, like the four below. Raises ConfigurationError."""
        raise self._read_only(key)

    def upload(self, key: str, _path: Path) -> NoReturn:
        """See `write`."""
        raise self._read_only(key)

    def create(self, key: str, _data: bytes) -> NoReturn:
        """See `write`."""
        raise self._read_only(key)

    def swap(self, key: str, _data: bytes, _version: str) -> NoReturn:
        """See `write`."""
        raise self._read_only(key)

    def delete(self, key: str, _version: str | None = None) -> NoReturn:
        """See `write`."""
        raise self._read_only(key)

    def keys(self, prefix: str) -> Iterator[str]:
        """Not possible: HTTP has no listing. Raises ConfigurationError."""
        raise self._read_only(prefix)

    def _open(self, key: str, method: str = "GET") -> Any:
        request = urllib.request.Request(self._url(key), method=method, headers={"Accept-Encoding": "identity"})
        try:
            return urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            raise self._translated(key, error) from error
        except OSError as error:
            fix = "Check name, network and certificate; check_connectivity tells which step fails."
            raise UnavailableError("could not read", on=self._url(key), why=str(error), fix=fix) from error

    def _translated(self, key: str, error: urllib.error.HTTPError) -> SlipwayError:
        why = f"HTTP {error.code} {error.reason}"
        if error.code in {404, 410}:
            return AbsentError("could not read", on=self._url(key), why=why, fix="Check the address.")
        if error.code in {401, 403, 407}:
            fix = "Slipway reads https:// without credentials; store the file in S3 or Google Cloud Storage."
            return DeniedError("could not read", on=self._url(key), why=why, fix=fix)
        return UnavailableError("could not read", on=self._url(key), why=why, fix="Run again later.")

    def _url(self, key: str) -> str:
        return f"{self.uri}/{urllib.parse.quote(key, safe='/?=&%+')}"

    def _read_only(self, key: str) -> ConfigurationError:
        fix = "Use s3://, gs:// or file:// as a store."
        return ConfigurationError("could not use the store", on=self._url(key), why="HTTP is read-only here", fix=fix)
