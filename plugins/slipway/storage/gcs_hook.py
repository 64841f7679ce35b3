"""Google Cloud Storage, through the google provider's connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

from slipway.core.errors import (
    AbsentError,
    ConfigurationError,
    ConflictError,
    DeniedError,
    SlipwayError,
    UnavailableError,
)
from slipway.storage.object_store import Stored

_CHUNK_BYTES = 16 * 1024 * 1024
_TIMEOUT_SECONDS = 60


class GcsStore:
    """Objects below ``gs://bucket/prefix``; connects on first use.

    Compare-and-swap is the generation precondition: ``ifGenerationMatch=0`` to create, the generation read to replace
    (https://cloud.google.com/storage/docs/request-preconditions).
    """

    def __init__(self, bucket: str, prefix: str, conn_id: str) -> None:
        self._bucket, self._prefix, self._conn_id = bucket, prefix.strip("/"), conn_id
        self.uri = f"gs://{bucket}/{self._prefix}".rstrip("/")

    @cached_property
    def bucket(self) -> Any:
        """The bucket's client that the Airflow connection describes."""
        try:
            from airflow.providers.google.cloud.hooks.gcs import GCSHook
        except ImportError as error:
            raise ConfigurationError(
                "could not open the store",
                on=self.uri,
                why="the google provider is not installed",
                fix="pip install apache-airflow-providers-google",
            ) from error
        with _translated("connect to", f"{self.uri} (connection {self._conn_id})"):
            return GCSHook(gcp_conn_id=self._conn_id).get_conn().bucket(self._bucket)

    def find(self, key: str) -> Stored | None:
        """The object with its generation, or None."""
        blob = self.bucket.blob(self._key(key))
        try:
            with _translated("read the object", f"{self.uri}/{key}"):
                blob.reload(timeout=_TIMEOUT_SECONDS)
                data = blob.download_as_bytes(if_generation_match=blob.generation, timeout=_TIMEOUT_SECONDS)
        except AbsentError:
            self._require_bucket()
            return None
        return Stored(data, str(blob.generation))

    def read(self, key: str) -> bytes:
        """The object. Raises AbsentError."""
        with self._call("read", key):
            return cast("bytes", self.bucket.blob(self._key(key)).download_as_bytes(timeout=_TIMEOUT_SECONDS))

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        with self._call("read", key):
            found = bool(self.bucket.blob(self._key(key)).exists(timeout=_TIMEOUT_SECONDS))
        if not found:
            self._require_bucket()
        return found

    def size(self, key: str) -> int:
        """Size in bytes. Raises AbsentError."""
        blob = self.bucket.blob(self._key(key))
        with self._call("read", key):
            blob.reload(timeout=_TIMEOUT_SECONDS)
        return int(blob.size)

    def stream(self, key: str) -> BinaryIO:
        """The object in chunks. Raises AbsentError."""
        self.size(key)  # the reader would report an absent object only at its first read
        return cast("BinaryIO", self.bucket.blob(self._key(key)).open("rb", chunk_size=_CHUNK_BYTES))

    def download(self, key: str, path: Path) -> None:
        """The object into a file, in chunks; `path` appears only when it is whole. Raises AbsentError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".part-{path.name}")
        with self._call("read", key):
            self.bucket.blob(self._key(key), chunk_size=_CHUNK_BYTES).download_to_filename(str(part))
        part.replace(path)

    def write(self, key: str, data: bytes) -> None:
        """Create or replace the object."""
        with self._call("write", key):
            self.bucket.blob(self._key(key)).upload_from_string(data, timeout=_TIMEOUT_SECONDS)

    def upload(self, key: str, path: Path) -> None:
        """A file as the object, resumable and in chunks."""
        with self._call("write", key):
            blob = self.bucket.blob(self._key(key), chunk_size=_CHUNK_BYTES)
            blob.upload_from_filename(str(path), timeout=_TIMEOUT_SECONDS)

    def create(self, key: str, data: bytes) -> str:
        """Create the object. Raises ConflictError if there is one already."""
        return self._put("create", key, data, generation=0)

    def swap(self, key: str, data: bytes, version: str) -> str:
        """Replace the object if it still has the generation `version`. Raises ConflictError if it does not."""
        return self._put("replace", key, data, generation=int(version))

    def delete(self, key: str, version: str | None = None) -> None:
        """Remove the object; absent is fine. Raises ConflictError if it no longer has the generation `version`."""
        condition = {"if_generation_match": int(version)} if version is not None else {}
        try:
            with self._call("delete", key):
                self.bucket.blob(self._key(key)).delete(timeout=_TIMEOUT_SECONDS, **condition)
        except (AbsentError, ConflictError):
            if self.exists(key):
                raise

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that start with `prefix`, in lexical order."""
        cut = len(self._key(""))
        with self._call("list", prefix):
            found = [blob.name[cut:] for blob in self.bucket.list_blobs(prefix=self._key(prefix))]
        if not found:
            self._require_bucket()
        yield from found

    def _put(self, verb: str, key: str, data: bytes, *, generation: int) -> str:
        blob = self.bucket.blob(self._key(key))
        with self._call(verb, key):
            blob.upload_from_string(data, if_generation_match=generation, timeout=_TIMEOUT_SECONDS)
        return str(blob.generation)

    def _require_bucket(self) -> None:
        """An absent object is an answer; an absent bucket is an error that must not look like one."""
        with _translated("find the bucket", self.uri):
            found = self.bucket.exists(timeout=_TIMEOUT_SECONDS)
        if not found:
            fix = f"Create it first: gcloud storage buckets create gs://{self._bucket}"
            raise AbsentError("could not use the store", on=self.uri, why="there is no such bucket", fix=fix)

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    @contextmanager
    def _call(self, verb: str, key: str) -> Iterator[None]:
        """Errors of one call on one object; where something is absent, first of all say if that is the bucket."""
        try:
            with _translated(f"{verb} the object", f"{self.uri}/{key}"):
                yield
        except AbsentError:
            self._require_bucket()
            raise


@contextmanager
def _translated(verb: str, on: str) -> Iterator[None]:
    """Google's errors as ours, once: by status where the service answered, by class where it did not."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        yield
    except GoogleAPICallError as error:
        raise _from_service(f"could not {verb}", on, error) from error
    except GoogleAuthError as error:
        fix = "Give the Airflow connection a key file, or the worker a service account."
        raise DeniedError(f"could not {verb}", on=on, why=str(error)[:200], fix=fix) from error
    except RequestException as error:
        fix = "Check the network; check_connectivity tells which step fails."
        raise UnavailableError(f"could not {verb}", on=on, why=str(error)[:200], fix=fix) from error


def _from_service(failed: str, on: str, error: Any) -> SlipwayError:
    why = f"{error.code}: {error.message}"[:200]
    if error.code in {401, 403}:
        return DeniedError(failed, on=on, why=why, fix="Give the connection's identity this permission on the bucket.")
    if error.code == 404:
        return AbsentError(failed, on=on, why=why, fix="Check the name.")
    if error.code in {409, 412}:
        return ConflictError(failed, on=on, why=why, fix="Read it again and decide anew.")
    return UnavailableError(failed, on=on, why=why, fix="Run again later; if it stays, look the code up.")
