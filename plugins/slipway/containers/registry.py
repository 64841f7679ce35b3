"""One repository of an image registry, by the OCI distribution specification 1.1 (opencontainers/distribution-spec)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import urljoin

from slipway.containers.blob_upload import BlobUpload
from slipway.containers.descriptor import INDEXES, MANIFESTS, OCI_INDEX, OCI_MANIFEST, Manifest, digest_of
from slipway.containers.registry_session import RegistrySession
from slipway.core.errors import AbsentError, RejectedError, UnavailableError

_LIMIT_BYTES = 4 * 1024 * 1024  # of manifests, as the specification has it, and of what else is read whole
_PAGES = 100
_ANY = tuple(range(200, 600))  # that an upload cannot be cancelled does not matter: it lapses
_ACCEPT = {"Accept": ", ".join((*MANIFESTS, *INDEXES))}


class Registry:
    """Manifests and blobs of one repository. Whatever is read by digest has that digest, or an error is raised.

    Every method may raise DeniedError, UnavailableError, ConfigurationError (see `RegistrySession`).
    """

    def __init__(self, session: RegistrySession) -> None:
        self._session = session
        self.repository = session.repository

    def find_manifest(self, reference: str) -> Manifest | None:
        """The manifest of a tag or digest, or None.

        Raises:
            RejectedError: what the registry gives for a digest has another one.
        """
        answer = self._session.request(
            "GET",
            self._session.url(f"manifests/{reference}"),
            allowed=(200, 404),
            failed="could not read the image",
            headers=_ACCEPT,
            stream=True,
        )
        if answer.status_code == 404:
            answer.close()
            return None
        found = Manifest(self._read(answer), answer.headers.get("Content-Type", OCI_MANIFEST).partition(";")[0])
        if reference.startswith("sha256:"):
            self._expect(reference, found.digest)
        return found

    def get_manifest(self, reference: str) -> Manifest:
        """Raises AbsentError."""
        found = self.find_manifest(reference)
        if found is None:
            on, fix = f"{self.repository} {reference}", "Push it, or correct the name."
            raise AbsentError("could not read the image", on=on, why="the registry does not have it", fix=fix)
        return found

    def put_manifest(self, manifest: Manifest, reference: str | None = None) -> Any:
        """Write a manifest by its digest, or under a tag; the same twice is one. Returns the answer's headers."""
        answer = self._session.request(
            "PUT",
            self._session.url(f"manifests/{reference or manifest.digest}"),
            allowed=(201,),
            failed="could not push the image",
            data=manifest.data,
            headers={"Content-Type": manifest.media_type},
        )
        return answer.headers

    def has_blob(self, digest: str) -> bool:
        """Whether the repository has it."""
        url = self._session.url(f"blobs/{digest}")
        failed = "could not look for a layer"
        answer = self._session.request("HEAD", url, allowed=(200, 404), failed=failed, allow_redirects=True)
        return bool(answer.status_code == 200)

    def read_blob(self, digest: str) -> bytes:
        """A small blob, such as a configuration. Raises AbsentError, RejectedError."""
        url = self._session.url(f"blobs/{digest}")
        failed = "could not read a part of the image"
        data = self._read(self._session.request("GET", url, allowed=(200,), failed=failed, stream=True))
        self._expect(digest, digest_of(data))
        return data

    @contextmanager
    def open_blob(self, digest: str) -> Iterator[BinaryIO]:
        """A blob as a stream, in flat memory. Raises RejectedError at the end if it was another one; AbsentError."""
        url = self._session.url(f"blobs/{digest}")
        failed = "could not read a layer"
        with self._session.request("GET", url, allowed=(200,), failed=failed, stream=True) as answer:
            hashed = _Hashed(answer.raw, str(self.repository))
            yield hashed  # type: ignore[misc]
            while hashed.read(1 << 20):
                pass
            self._expect(digest, hashed.digest)

    def push_blob(self, digest: str, source: BinaryIO, size_bytes: int, *, mount_from: str | None = None) -> bool:
        """Upload a blob unless it is there; returns whether anything was sent.

        Args:
            digest: of its bytes.
            source: seekable.
            size_bytes: of all of it.
            mount_from: path of another repository of this registry that has it: then nothing needs to be sent.
        """
        if self.has_blob(digest):
            return False
        return BlobUpload(self._session, digest, source, size_bytes).run(mount_from)

    def check_push(self) -> None:
        """Open an upload and cancel it: whether the log-in may push here. Raises DeniedError, AbsentError."""
        url, failed = self._session.url("blobs/uploads/"), "could not push to the repository"
        answer = self._session.request("POST", url, allowed=(202,), failed=failed)
        self._session.request("DELETE", self._session.location(answer), allowed=_ANY, failed=failed)

    @property
    def base_url(self) -> str:
        """Of its API, for a probe."""
        return self._session.base_url

    def referrers(self, digest: str) -> list[dict[str, Any]]:
        """Descriptors of the manifests whose subject is `digest`, by the referrers API or the tag that stands in for it."""
        found: list[dict[str, Any]] = []
        url = self._session.url(f"referrers/{digest}")
        for _ in range(_PAGES):
            answer = self._session.request(
                "GET",
                url,
                allowed=(200, 404),
                failed="could not read what is attached to the image",
                headers={"Accept": OCI_INDEX},
                stream=True,
            )
            if answer.status_code != 200 or not answer.headers.get("Content-Type", "").startswith(OCI_INDEX):
                answer.close()
                break
            found += self._listed(Manifest(self._read(answer), OCI_INDEX))
            following = answer.links.get("next", {}).get("url")
            if following is None:
                return found
            url = urljoin(answer.url, following)
        index = self.find_manifest(referrers_tag(digest))
        return [*found, *(self._listed(index) if index else [])]

    def _listed(self, index: Manifest) -> list[dict[str, Any]]:
        listed = index.value.get("manifests") or []
        return [one for one in listed if isinstance(one, dict) and isinstance(one.get("digest"), str)]

    def _read(self, answer: Any) -> bytes:
        """A body that is not large. Raises RejectedError: it is."""
        source, data = _Hashed(answer.raw, str(self.repository)), b""
        with answer:
            while len(data) <= _LIMIT_BYTES and (more := source.read(_LIMIT_BYTES + 1)):
                data += more
        if len(data) > _LIMIT_BYTES:
            why, fix = f"it is larger than {_LIMIT_BYTES:,} bytes", "Find out who pushed it."
            raise RejectedError("could not read the image", on=str(self.repository), why=why, fix=fix)
        return data

    def _expect(self, digest: str, found: str) -> None:
        if digest != found:
            raise RejectedError(
                "could not use what the registry gave",
                on=self.repository.at(digest),
                why=f"its digest is {found}",
                fix="The registry's storage is damaged or was tampered with; push the image again, from a clean one.",
            )


def referrers_tag(digest: str) -> str:
    """The tag of the index of referrers where a registry has no API for them."""
    return digest.replace(":", "-")


class _Hashed:
    """A stream that knows the digest of what was read from it, and whose breaks are our errors."""

    def __init__(self, raw: Any, on: str) -> None:
        self._raw, self._on, self._hash = raw, on, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        import urllib3.exceptions

        try:
            data = bytes(self._raw.read(None if size < 0 else size, decode_content=True))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            fix = "The next try reads it again."
            raise UnavailableError("could not read from the registry", on=self._on, why=str(error), fix=fix) from error
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
