"""Uploading a blob in pieces; a broken upload goes on where the registry says that it stands."""

from __future__ import annotations

import time
from typing import Any, BinaryIO
from urllib.parse import urljoin

from slipway.containers.registry_session import RegistrySession
from slipway.core.errors import UnavailableError

CHUNK_BYTES = 16 * 1024 * 1024
_FAILURES_IN_A_ROW = 5
_FAILED = "could not push a layer"


class BlobUpload:
    """One blob on its way: POST opens an upload, PATCH sends pieces, PUT closes it with the digest.

    `source` must be seekable: after a broken connection the registry is asked how much it has.
    """

    def __init__(self, session: RegistrySession, digest: str, source: BinaryIO, size_bytes: int) -> None:
        self._session, self._digest, self._source, self._size = session, digest, source, size_bytes

    def run(self, mount_from: str | None = None) -> bool:
        """Send what is missing; False: the registry took the blob from the repository `mount_from` without that."""
        params = {"mount": self._digest, "from": mount_from} if mount_from else None
        url = self._session.url("blobs/uploads/")
        answer = self._session.request("POST", url, allowed=(201, 202), failed=_FAILED, params=params)
        if answer.status_code == 201:
            return False
        location = self._location(answer)
        if self._size <= CHUNK_BYTES and self._send_whole(location):
            return True
        location = self._send(location, 0)
        self._session.request("PUT", location, allowed=(201,), failed=_FAILED, params={"digest": self._digest})
        return True

    def _send_whole(self, location: str) -> bool:
        """A small blob in the request that closes the upload; False: that broke, and the pieces are tried."""
        import requests

        self._source.seek(0)
        headers = {"Content-Type": "application/octet-stream"}
        try:
            answer = self._session.once(
                "PUT", location, data=self._source.read(self._size), headers=headers, params={"digest": self._digest}
            )
        except requests.RequestException:
            return False
        return bool(answer.status_code == 201)

    def _send(self, location: str, offset: int) -> str:
        """All pieces from `offset` on; returns where to close the upload."""
        import requests

        failures = 0
        while offset < self._size:
            try:
                answer = self._patch(location, offset)
            except requests.RequestException as error:
                answer, last = None, error
            if answer is not None and answer.status_code in {201, 202}:
                location, offset, failures = self._location(answer), self._received(answer, offset), 0
                continue
            failures += 1
            if failures == _FAILURES_IN_A_ROW:
                raise self._interrupted(offset, answer, None if answer is not None else last)
            time.sleep(0.2 * 2**failures)
            location, offset = self._standing(location, offset)
        return location

    def _patch(self, location: str, offset: int) -> Any:
        self._source.seek(offset)
        piece = self._source.read(CHUNK_BYTES)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{offset}-{offset + len(piece) - 1}",
        }
        return self._session.once("PATCH", location, data=piece, headers=headers)

    def _standing(self, location: str, offset: int) -> tuple[str, int]:
        """Ask how much the registry has of this upload; one that it forgot begins anew."""
        import requests

        try:
            answer = self._session.once("GET", location)
        except requests.RequestException:
            return location, offset
        if answer.status_code == 204:
            return self._location(answer), self._received(answer, 0)
        if answer.status_code == 404:
            url = self._session.url("blobs/uploads/")
            return self._location(self._session.request("POST", url, allowed=(202,), failed=_FAILED)), 0
        return location, offset

    def _received(self, answer: Any, offset: int) -> int:
        """Bytes the registry has, from the header Range, ``0-<last>``; nothing yet may be ``0-0`` as well as no header."""
        last = answer.headers.get("Range", "").rpartition("-")[2]
        if not last.isdecimal():
            return offset
        return 0 if last == "0" else int(last) + 1

    def _location(self, answer: Any) -> str:
        """Where the upload goes on; a registry may name it without its host."""
        return str(urljoin(answer.url, answer.headers["Location"]))

    def _interrupted(self, offset: int, answer: Any, error: Exception | None) -> Exception:
        if answer is not None and answer.status_code not in {408, 429, 500, 502, 503, 504}:
            return self._session.refused(_FAILED, answer)
        why = f"the upload broke {_FAILURES_IN_A_ROW} times in a row after {offset:,} of {self._size:,} bytes"
        why += f": {str(error)[:200]}" if error else f"; the registry answered {answer.status_code}"
        fix = "The next try sends only what the registry does not have yet. Is its disk full?"
        return UnavailableError(_FAILED, on=f"{self._session.repository} {self._digest}", why=why, fix=fix)
