"""Requests out of a connection's bytes. llhttp (by httptools) parses; the limits are kept here.

Nothing is buffered without a bound: head, target, headers and body each have one, and what `admit` refuses is refused
from the head alone, before its body is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import httptools

from model_server.http_head import Environ, HeadCache, head_without_upgrade, put_header, put_request_line
from model_server.message import Reply, plain_error

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
MAX_TARGET_BYTES = 8 * 1024

Phase = Literal["idle", "head", "body"]


class Refused(Exception):  # noqa: N818  the client's fault, not an error of ours
    """A request that is answered without being read to its end; its connection cannot be used again.

    Attributes:
        reply: what the client gets.
        is_noted: whether the application refused it, and so knows of it.
    """

    def __init__(self, reply: Reply, *, is_noted: bool = False) -> None:
        super().__init__(reply.status)
        self.reply, self.is_noted = reply, is_noted


class WholeRequest(NamedTuple):
    """A request that has arrived; after one with `keep_alive` False its connection closes."""

    environ: Environ
    body: bytes
    keep_alive: bool


class RequestReader:
    """Feed it bytes, it gives whole requests.

    Args:
        base: what every environ begins with.
        heads: where accepted heads are kept.
        max_body_bytes: a larger body is refused with 413: by its length if that is said, else when it has come that far.
        admit: looks at a head; returns the reply that refuses it, or None.
        send_continue: called when a client waits for 100 Continue before it sends the body.
    """

    def __init__(
        self,
        base: Environ,
        heads: HeadCache,
        max_body_bytes: int,
        admit: Callable[[Environ], Reply | None],
        send_continue: Callable[[], None],
    ) -> None:
        self._base, self._heads, self._max_body_bytes = base, heads, max_body_bytes
        self._admit, self._send_continue = admit, send_continue
        self._parser: Any = httptools.HttpRequestParser(self)
        self._whole: list[WholeRequest] = []
        self._parts: list[bytes] = []  # of the body that is being read
        self._fed_bytes = 0  # since a head began, or since the last part of a body
        self._again = b""  # a head that is to be parsed once more
        self.environ: Environ = {}  # of the request that is being read
        self.phase: Phase = "idle"
        self.number = 0  # of the request that is being read
        self.announced_bytes = 0  # Content-Length of the body that is being read

    def feed(self, data: bytes) -> list[WholeRequest]:
        """The requests that are whole now, in order.

        Raises:
            Refused: the bytes are no HTTP/1.1, or a limit or `admit` says no. What was whole before is in `take`.
        """
        self._chunk = data if self.phase == "idle" else b""
        self._fed_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            return self._stay(data[error.args[0] :])
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, Refused):
                raise error.__context__ from None
            raise Refused(plain_error(400, "this is not a request in HTTP/1.1")) from error
        if self.phase != "idle" and self._fed_bytes > MAX_HEAD_BYTES:  # in a body: of trailers or chunk extensions
            raise _head_too_large()
        return self.take()

    def _stay(self, rest: bytes) -> list[WholeRequest]:
        """Answer in HTTP/1.1 a client that offered to change to another protocol: it must take that (RFC 9110, 7.8).

        The parser believes that what follows is the other protocol, so a new one gets the head once more without the offer.
        """
        if self.environ.get("REQUEST_METHOD") == "CONNECT":
            raise Refused(plain_error(400, "this server is no proxy"))
        self._parser = httptools.HttpRequestParser(self)
        self.phase = "idle"
        return self.feed(self._again + rest)

    def take(self) -> list[WholeRequest]:
        """The whole requests that `feed` has not given out."""
        whole, self._whole = self._whole, []
        return whole

    # httptools calls these, in this order; what they raise comes out of feed_data.

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        self.phase, self.number, self._headers, self._head_bytes = "head", self.number + 1, 0, 0
        self.environ, self._target, self._body_bytes = self._base.copy(), b"", 0

    def on_url(self, part: bytes) -> None:
        """A part of the request target."""
        self._target += part
        if len(self._target) > MAX_TARGET_BYTES:
            raise Refused(plain_error(414, f"the request target is longer than {MAX_TARGET_BYTES} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; or a trailer behind a chunked body, which nobody needs."""
        self._headers += 1
        self._head_bytes += len(name) + len(value)
        if self._headers > MAX_HEADERS or self._head_bytes > MAX_HEAD_BYTES:
            raise _head_too_large()
        if self.phase == "head":
            put_header(self.environ, name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: what will be refused is refused now."""
        environ, parser = self.environ, self._parser
        put_request_line(environ, parser.get_method(), self._target, parser.get_http_version())
        if parser.should_upgrade():
            self._again = head_without_upgrade(environ)
            return  # comes back
        self.phase, self.announced_bytes = "body", int(environ.get("CONTENT_LENGTH") or 0)
        self._fed_bytes = 0
        _check_framing(environ)
        if reply := self._admit(environ):
            raise Refused(reply, is_noted=True)
        self._check_size(self.announced_bytes)
        if "HTTP_EXPECT" in environ:
            if environ["HTTP_EXPECT"].lower() != "100-continue":
                raise Refused(plain_error(417, "the only expectation this server meets is 100-continue"))
            self._send_continue()

    def on_body(self, part: bytes) -> None:
        """A part of the body, chunks already taken apart."""
        self._fed_bytes = 0
        self._body_bytes += len(part)
        self._check_size(self._body_bytes)
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._parser.should_upgrade():
            return
        environ, keep_alive = self.environ, bool(self._parser.should_keep_alive())
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self.phase, self._fed_bytes, self.environ, self._parts = "idle", 0, {}, []
        self._whole.append(WholeRequest(environ, body, keep_alive))
        end = self._chunk.find(b"\r\n\r\n") + 4
        if keep_alive and self._chunk and len(self._whole) == 1 and len(self._chunk) == end + len(body):
            self._heads.keep(self._chunk[:end], environ, len(body))

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._max_body_bytes:
            raise Refused(plain_error(413, f"the body is larger than {self._max_body_bytes} bytes"))


def _check_framing(environ: Environ) -> None:
    """What we would read otherwise than a proxy before us might is refused (RFC 9112, 11.2)."""
    version, coding = environ["SERVER_PROTOCOL"], environ.get("HTTP_TRANSFER_ENCODING")
    if version not in {"HTTP/1.1", "HTTP/1.0"}:
        raise Refused(plain_error(400, "this is not a request in HTTP/1.1"))
    if coding is not None and (coding.lower() != "chunked" or version == "HTTP/1.0"):
        raise Refused(plain_error(400, "the only Transfer-Encoding that this server reads is chunked, in HTTP/1.1"))


def _head_too_large() -> Refused:
    return Refused(plain_error(431, f"the head has more than {MAX_HEADERS} headers or {MAX_HEAD_BYTES} bytes"))
