"""Requests and replies as the protocols see them: no web framework, no socket."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from model_server.errors import MalformedError, TooLargeError, UnsupportedError

QUICK_BYTES = 256 * 1024  # what these take of the event loop's time is milliseconds, less than a thread would add

JSON = "application/json"


class Reply(NamedTuple):
    """Status, body with its media type, and what other headers there are."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def plain_error(status: int, text: str, *headers: tuple[str, str]) -> Reply:
    """An error outside any protocol's own form."""
    return Reply(status, json.dumps({"error": text}).encode(), JSON, headers)


class Request:
    """One whole request.

    Attributes:
        body: as it came, perhaps compressed; `content` is what a protocol reads.
        path_arguments: what the route's pattern caught.
    """

    __slots__ = ("_environ", "body", "path_arguments")

    def __init__(
        self, environ: Mapping[str, Any], body: bytes, path_arguments: Mapping[str, str] | None = None
    ) -> None:
        self._environ, self.body, self.path_arguments = environ, body, path_arguments or {}

    @property
    def media_type(self) -> str:
        """Of the body, lower case, without parameters; "" if it is not said."""
        found = str(self._environ.get("CONTENT_TYPE", ""))
        return found if found == JSON else found.partition(";")[0].strip().lower()

    @property
    def accept(self) -> str:
        """The Accept header; "" accepts anything."""
        return str(self._environ.get("HTTP_ACCEPT", ""))

    def header(self, name: str) -> str | None:
        """A header by its WSGI name, e.g. HTTP_INFERENCE_HEADER_CONTENT_LENGTH."""
        return self._environ.get(name)

    def flag(self, name: str) -> bool:
        """Whether the query says yes to `name`.

        Raises:
            MalformedError: it says neither yes nor no.
        """
        query = self._environ.get("QUERY_STRING")
        if not query:
            return False
        try:
            fields = parse_qs(query, keep_blank_values=True, max_num_fields=20)
        except ValueError as error:
            raise MalformedError("the query has more than 20 fields") from error
        value = fields.get(name, ["false"])[-1].lower()
        if value not in {"", "1", "true", "yes", "0", "false", "no"}:
            raise MalformedError(f"?{name}={value[:20]}, allowed: true or false")
        return value not in {"0", "false", "no"}

    def content(self, max_bytes: int) -> bytes:
        """The body, decompressed.

        Raises:
            TooLargeError: it unpacks to more than `max_bytes`; no more than that is ever unpacked.
            MalformedError: it is not what its encoding says.
            UnsupportedError: another encoding.
        """
        encoding = self._environ.get("HTTP_CONTENT_ENCODING")
        if not encoding or encoding.lower() == "identity":
            return self.body
        if encoding.lower() not in {"gzip", "x-gzip", "deflate"}:
            raise UnsupportedError(f"Content-Encoding {encoding[:40]}, allowed: gzip, deflate")
        return _inflate(self.body, max_bytes)


def _inflate(data: bytes, max_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib by its header
    try:
        content = unpacker.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise MalformedError("the body is not compressed as its Content-Encoding says") from error
    if len(content) > max_bytes:
        raise TooLargeError(f"the body unpacks to more than {max_bytes} bytes")
    if not unpacker.eof:
        raise MalformedError("the compressed body ends too early")
    if unpacker.unused_data:  # read on, a second part could be as large as the first; left out, rows would be missing
        raise MalformedError("something follows the compressed body: send it in one piece")
    return content
