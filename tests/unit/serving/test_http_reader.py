"""Requests out of a connection's bytes: however they are cut, the same requests come out, and no part is without a bound."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.http_head import HeadCache, base_environ
from model_server.http_reader import MAX_HEAD_BYTES, Refused, RequestReader
from model_server.message import Reply

GET = b"GET /a?b=%20c HTTP/1.1\r\nHost: x\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n"
POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\r\n\r\n12}"
CHUNKED = b"POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: x\r\n\r\n"
UPGRADE = POST.replace(
    b"\r\n\r\n{", b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n{", 1
)


class Reading:
    """A reader, and what it did."""

    def __init__(self, refuse: Reply | None = None) -> None:
        self.admitted = self.continues = 0
        self.heads = HeadCache()
        self._refuse = refuse
        self.reader = RequestReader(base_environ("h", 1, workers=1), self.heads, 1000, self._admit, self._send_continue)

    def _admit(self, _environ: dict[str, Any]) -> Reply | None:
        self.admitted += 1
        return self._refuse

    def _send_continue(self) -> None:
        self.continues += 1

    def feed(self, *parts: bytes) -> list[tuple[str, str, bytes, bool]]:
        found = [request for part in parts for request in self.reader.feed(part)]
        return [
            (each.environ["REQUEST_METHOD"], each.environ["PATH_INFO"], each.body, each.keep_alive) for each in found
        ]

    def refused(self, *parts: bytes) -> int:
        with pytest.raises(Refused) as caught:
            self.feed(*parts)
        return caught.value.reply.status


WHOLE = {
    GET: ("GET", "/a", b"", True),
    POST: ("POST", "/predict", b"{\r\n\r\n12}", True),
    CHUNKED: ("POST", "/p", b"abcd", True),
    UPGRADE: ("POST", "/predict", b"{\r\n\r\n12}", True),
}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(list(WHOLE)), min_size=1, max_size=4), st.data())
def test_any_cut_gives_the_same_requests(requests: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    parts = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    reading = Reading()
    assert reading.feed(*parts) == [WHOLE[each] for each in requests]
    assert reading.admitted == len(requests)
    assert reading.reader.phase == "idle"


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(WHOLE)), st.data())
def test_any_flipped_byte_is_read_or_refused(request: bytes, data: st.DataObject) -> None:
    altered = bytearray(request)
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        Reading().feed(bytes(altered))
    except Refused as refused:
        assert refused.reply.status in {400, 413, 414, 417, 431}  # noqa: PT017  refusing is one of two good ends


def test_a_head_is_kept_and_found_by_its_bytes_alone() -> None:
    reading = Reading()
    reading.feed(POST)
    head = POST[: POST.find(b"\r\n\r\n") + 4]
    environ, body_bytes = reading.heads.find(head) or pytest.fail("not kept")
    assert (environ["PATH_INFO"], body_bytes) == ("/predict", 8)
    for request in (
        CHUNKED,
        UPGRADE,
        POST.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"),
        POST + POST,
        GET[:-2] + b"X: " + b"y" * 3000 + b"\r\n\r\n",
    ):
        fresh = Reading()
        fresh.feed(request)
        assert fresh.heads.find(request[: request.find(b"\r\n\r\n") + 4]) is None
    split = Reading()
    split.feed(POST[:20], POST[20:])
    assert split.heads.find(head) is None


def test_a_full_cache_begins_anew() -> None:
    reading = Reading()
    for number in range(1200):
        reading.feed(GET.replace(b"Host: x", b"Host: %d" % number))
    assert (
        sum(reading.heads.find(GET.replace(b"Host: x", b"Host: %d" % number)) is not None for number in range(1200))
        <= 512
    )


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([b"POST /x HTTP/1.1\r\nContent-Length: 1001\r\n\r\n"], 413),
        ([b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001], 413),
        ([b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n"], 414),
        ([b"GET /" + b"x" * 4000, b"x" * 5000], 414),
        ([b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 102], 431),
        ([b"GET / HTTP/1.1\r\nX: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\n"], 431),
        ([b"GET / HTTP/1.1\r\nX: ", *[b"y" * 1000] * 33], 431),
        ([b"GET / HTTP/1.1\r\n" + b"y" * 40_000], 431),
        ([CHUNKED[:-12] + b"X: y\r\n" * 102], 431),
        ([CHUNKED[:-2] + b"X: ", *[b"y" * 1000] * 33], 431),
        ([b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", *[b"y" * 1000] * 33], 431),
        ([b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: magic\r\n\r\n"], 417),
        ([b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"], 400),
        ([b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"], 400),
        ([b"GET /\r\n\r\n"], 400),
        ([b"GET / HTTP/2.0\r\n\r\n"], 400),
        ([b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"], 400),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], 400),
    ],
)
def test_every_part_has_a_bound(parts: list[bytes], status: int) -> None:
    assert Reading().refused(*parts) == status


def test_what_came_whole_before_a_refusal_is_still_answered() -> None:
    reading = Reading()
    assert reading.refused(POST + GET + b"nonsense\r\n\r\n") == 400
    assert len(reading.reader.take()) == 2


def test_an_application_s_refusal_comes_before_the_body_and_is_noted_by_it() -> None:
    with pytest.raises(Refused) as caught:
        Reading(Reply(401, b"no")).feed(b"POST /x HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n")
    assert (caught.value.reply.status, caught.value.is_noted) == (401, True)


def test_names_that_could_pose_as_others_are_dropped_and_repeated_ones_joined() -> None:
    reader = Reading().reader
    [request] = reader.feed(
        b"GET //a/%2e%2e/%252e?x HTTP/1.1\r\nX-Key: a\r\nX_Key: b\r\nx-key: c\r\nContent_Length: 5\r\n\r\n"
    )
    assert request.environ["HTTP_X_KEY"] == "a,c"
    assert "CONTENT_LENGTH" not in request.environ
    assert request.environ["PATH_INFO"] == "//a/../%2e"
    assert request.environ["QUERY_STRING"] == "x"


def test_an_offered_protocol_is_declined_silently() -> None:
    reading = Reading()
    [request] = reading.reader.feed(UPGRADE)
    assert not {"HTTP_UPGRADE", "HTTP_CONNECTION"} & set(request.environ)
    assert request.environ["HTTP_HTTP2_SETTINGS"] == "AA"
    assert reading.feed(POST) == [WHOLE[POST]]
