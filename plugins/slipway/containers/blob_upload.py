"""Uploading a blob in pieces; a broken upload goes on where the registry says that it stands."""

from __future__ import annotations

import time
from typing import Any, BinaryIO

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
        if mount_from and self._mount(mount_from):
            return False
        location = self._session.location(self._open())
        if self._size > CHUNK_BYTES or not self._send_whole(location):
            self._close(self._send(location, 0))
        return True

    def _mount(self, path: str) -> bool:
        """A short cut; that a registry will not take it, or lets us not read there, is no failure."""
        url, params = self._session.url("blobs/uploads/"), {"mount": self._digest, "from": path}
        allowed = (201, 202, 400, 401, 403, 404, 405)
        return bool(
            self._session.request("POST", url, allowed=allowed, failed=_FAILED, params=params).status_code == 201
        )

    def _open(self) -> Any:
        url = self._session.url("blobs/uploads/")
        return self._session.request("POST", url, allowed=(202,), failed=_FAILED)

    def _close(self, location: str) -> None:
        """Name the digest. Where the answer is lost, a second try finds no upload any more, but the blob."""
        params = {"digest": self._digest}
        answer = self._session.request("PUT", location, allowed=(201, 404), failed=_FAILED, params=params)
        if answer.status_code == 404 and not self._is_there():
            why = "the registry had forgotten the upload when it was to be closed"
            raise UnavailableError(_FAILED, on=str(self._session.repository), why=why, fix="Clear this task.")

    def _is_there(self) -> bool:
        url = self._session.url(f"blobs/{self._digest}")
        return bool(self._session.request("HEAD", url, allowed=(200, 404), failed=_FAILED).status_code == 200)

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

        failures, last = 0, None
        while offset < self._size:
            try:
                answer = self._patch(location, offset)
            except requests.RequestException as error:
                answer, last = None, error
            if answer is not None and answer.status_code in {201, 202}:
                location, before = self._session.location(answer), offset
                offset = self._received(answer, min(offset + CHUNK_BYTES, self._size))
                if offset > before:
                    failures = 0
                    continue
            failures += 1
            if failures == _FAILURES_IN_A_ROW:
                raise self._interrupted(offset, answer, last)
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
            return self._session.location(answer), self._received(answer, 0)
        if answer.status_code == 404:
            return self._session.location(self._open()), 0
        return location, offset

    def _received(self, answer: Any, without: int) -> int:
        """Bytes the registry has, from the header Range, ``0-<last>`` (``0-0``: none yet); `without` the header."""
        last = answer.headers.get("Range", "").rpartition("-")[2]
        if not last.isdecimal():
            return without
        return 0 if last == "0" else int(last) + 1

    def _interrupted(self, offset: int, answer: Any, error: Exception | None) -> Exception:
        if answer is not None and 400 <= answer.status_code < 500 and answer.status_code not in {408, 429}:
            return self._session.refused(_FAILED, answer)
        why = f"the upload broke {_FAILURES_IN_A_ROW} times in a row after {offset:,} of {self._size:,} bytes"
        why += f"; the registry answered {answer.status_code}" if answer is not None else f": {str(error)[:200]}"
        fix = "The next try sends only what the registry does not have yet. Is its disk full?"
        return UnavailableError(_FAILED, on=f"{self._session.repository} {self._digest}", why=why, fix=fix)
