"""S3, through the amazon provider's connection: keys, role, profile, region and endpoint as Airflow has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

from slipway.aws.hook import aws_client
from slipway.core.errors import (
    AbsentError,
    ConfigurationError,
    ConflictError,
    DeniedError,
    SlipwayError,
    UnavailableError,
)
from slipway.storage.object_store import Stored

_PART_BYTES = 16 * 1024 * 1024
_DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "AuthFailure", "401", "403"}
_ABSENT = {"NoSuchKey", "NoSuchBucket", "NotFound", "404"}
_CONFLICT = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


class S3Store:
    """Objects below ``s3://bucket/prefix``; connects on first use.

    Compare-and-swap is S3's own: ``If-None-Match: *`` to create, ``If-Match: <ETag>`` to replace
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
    """

    def __init__(self, bucket: str, prefix: str, conn_id: str) -> None:
        self._bucket, self._prefix, self._conn_id = bucket, prefix.strip("/"), conn_id
        self.uri = f"s3://{bucket}/{self._prefix}".rstrip("/")

    @cached_property
    def client(self) -> Any:
        """The boto3 client that the Airflow connection describes."""
        try:
            with _translated("connect to", f"{self.uri} (connection {self._conn_id})"):
                return aws_client("s3", self._conn_id)
        except ImportError as error:
            raise _missing_provider(self.uri) from error

    def find(self, key: str) -> Stored | None:
        """The object with its ETag, or None."""
        try:
            with self._call("read", key):
                answer = self.client.get_object(Bucket=self._bucket, Key=self._key(key))
                return Stored(answer["Body"].read(), answer["ETag"])
        except AbsentError as error:
            if _code(error.__cause__) == "NoSuchBucket":
                raise
            return None

    def read(self, key: str) -> bytes:
        """The object. Raises AbsentError."""
        with self._call("read", key):
            return cast("bytes", self.client.get_object(Bucket=self._bucket, Key=self._key(key))["Body"].read())

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            self.size(key)
        except AbsentError:
            self._require_bucket(key)
            return False
        return True

    def size(self, key: str) -> int:
        """Size in bytes. Raises AbsentError."""
        with self._call("read", key):
            return int(self.client.head_object(Bucket=self._bucket, Key=self._key(key))["ContentLength"])

    def stream(self, key: str) -> BinaryIO:
        """The object as a stream from the socket. Raises AbsentError."""
        with self._call("read", key):
            return cast("BinaryIO", self.client.get_object(Bucket=self._bucket, Key=self._key(key))["Body"])

    def download(self, key: str, path: Path) -> None:
        """The object into a file, a large one in parts; `path` appears only when it is whole. Raises AbsentError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".part-{path.name}")
        with self._call("read", key):
            answer = self.client.get_object(Bucket=self._bucket, Key=self._key(key))
            with closing(answer["Body"]) as body:
                is_there = answer["ContentLength"] <= _PART_BYTES and _received(body, part)
            if not is_there:  # the transfer's threads are for large ones, its retries for a connection that breaks off
                self.client.download_file(self._bucket, self._key(key), str(part), Config=_transfer())
        part.replace(path)

    def write(self, key: str, data: bytes) -> None:
        """Create or replace the object."""
        with self._call("write", key):
            self.client.put_object(Bucket=self._bucket, Key=self._key(key), Body=data)

    def upload(self, key: str, path: Path) -> None:
        """A file as the object, a large one in parts; it appears when the last part is there."""
        if path.stat().st_size <= _PART_BYTES:
            self.write(key, path.read_bytes())
            return
        with self._call("write", key):
            self.client.upload_file(str(path), self._bucket, self._key(key), Config=_transfer())

    def create(self, key: str, data: bytes) -> str:
        """Create the object. Raises ConflictError if there is one already."""
        with self._call("create", key):
            answer = self.client.put_object(Bucket=self._bucket, Key=self._key(key), Body=data, IfNoneMatch="*")
        return str(answer["ETag"])

    def swap(self, key: str, data: bytes, version: str) -> str:
        """Replace the object if it still has the ETag `version`. Raises ConflictError if it does not."""
        try:
            with self._call("replace", key):
                answer = self.client.put_object(Bucket=self._bucket, Key=self._key(key), Body=data, IfMatch=version)
        except AbsentError as error:
            raise ConflictError(error.failed, on=error.on, why="it is gone", fix="Read it again.") from error
        return str(answer["ETag"])

    def delete(self, key: str, version: str | None = None) -> None:
        """Remove the object; absent is fine. Raises ConflictError if it no longer has the ETag `version`."""
        # S3 has no conditional delete in general-purpose buckets that every account allows, so look first.
        if version is not None and (found := self.find(key)) is not None and found.version != version:
            raise ConflictError(
                "could not delete the object",
                on=f"{self.uri}/{key}",
                why="it changed since it was read",
                fix="Read it again and decide anew.",
            )
        with self._call("delete", key):
            self.client.delete_object(Bucket=self._bucket, Key=self._key(key))

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that start with `prefix`, in lexical order, a page at a time."""
        cut = len(self._key(""))
        with self._call("list", prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._key(prefix))
            for page in pages:
                yield from (item["Key"][cut:] for item in page.get("Contents", ()))

    def _require_bucket(self, key: str) -> None:
        """An absent object is an answer; an absent bucket, which HEAD does not tell from it, is an error."""
        with self._call("read", key):
            self.client.head_bucket(Bucket=self._bucket)

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def _call(self, verb: str, key: str) -> Any:
        return _translated(f"{verb} the object", f"{self.uri}/{key}")


def _received(body: Any, path: Path) -> bool:
    """Whether the whole body came, and is in `path` now."""
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    try:
        path.write_bytes(body.read())
    except (HTTPClientError, IncompleteReadError):
        return False
    return True


def _transfer() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=2)


@contextmanager
def _translated(verb: str, on: str) -> Iterator[None]:
    """Botocore's errors as ours, once: by code where the service answered, by class where it did not."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except ClientError as error:
        raise _from_service(f"could not {verb}", on, error) from error
    except Boto3Error as error:
        # Uploads in the background wrap the service's answer once more.
        cause = error.__cause__ or error.__context__
        if isinstance(cause, ClientError):
            raise _from_service(f"could not {verb}", on, cause) from error
        raise UnavailableError(f"could not {verb}", on=on, why=str(error)[:200], fix="Run again later.") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        fix = "Give the Airflow connection an access key, a profile or a role."
        raise DeniedError(f"could not {verb}", on=on, why=str(error), fix=fix) from error
    except BotoCoreError as error:
        fix = "Check the network and the connection's endpoint and region; check_connectivity tells which step fails."
        raise UnavailableError(f"could not {verb}", on=on, why=str(error)[:200], fix=fix) from error


def _from_service(failed: str, on: str, error: Any) -> SlipwayError:
    code = _code(error)
    why = f"{code}: {error.response.get('Error', {}).get('Message', '')}"[:200]
    if code in _DENIED:
        return DeniedError(failed, on=on, why=why, fix="Give the connection's identity this permission on the bucket.")
    if code in _ABSENT:
        bucket = on.split("/")[2]
        no_bucket = code == "NoSuchBucket" or error.operation_name == "HeadBucket"
        fix = f"Create it first: aws s3 mb s3://{bucket}" if no_bucket else "Check the name."
        return AbsentError(failed, on=on, why=why, fix=fix)
    if code in _CONFLICT:
        return ConflictError(failed, on=on, why=why, fix="Read it again and decide anew.")
    return UnavailableError(failed, on=on, why=why, fix="Run again later; if it stays, look the code up.")


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _missing_provider(uri: str) -> ConfigurationError:
    return ConfigurationError(
        "could not open the store",
        on=uri,
        why="the amazon provider is not installed",
        fix="pip install apache-airflow-providers-amazon",
    )
