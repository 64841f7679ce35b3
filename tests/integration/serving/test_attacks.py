"""Everything that a hostile or broken client sends; after each of it the next good request is answered."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.integration.serving.conftest import Start
from tests.server_process import BODY, ROW, ServerProcess, ask, head, post

INFER = "/v2/models/iris/infer"
LIVE = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
MAX_BODY_BYTES = 1_000_000
packed = partial(gzip.compress, mtime=0)


@pytest.fixture(scope="module", params=["onnx", "joblib"])
def running(start: Start, request: pytest.FixtureRequest) -> ServerProcess:
    return start("--open", "--max-body-bytes", str(MAX_BODY_BYTES), "--max-rows", "1000", runtime=request.param)


@pytest.fixture
def server(running: ServerProcess) -> Iterator[ServerProcess]:
    """Afterwards both workers are the same as before and well, and nothing was thrown."""
    before, said = [worker.pid for worker in running.workers()], running.errors()
    yield running
    for _ in range(4):
        assert json.loads(running.ask().body) == {"prediction": "setosa"}
    assert [worker.pid for worker in running.workers()] == before
    assert "Traceback" not in running.errors()[len(said) :]


def features(value: Any) -> bytes:
    return json.dumps({"features": value}).encode()


def tensor(**given: Any) -> bytes:
    return json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": ROW} | given]}).encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (BODY[:-1], 400),
        (BODY + b"}", 400),
        (b"", 400),
        (b"\x00", 400),
        (b"\xff\xfe{}", 400),
        (b"features=1", 400),
        (b'{"features":[NaN,1,1,1]}', 400),
        (b'{"features":[Infinity,1,1,1]}', 400),
        (b'{"features":[-Infinity,1,1,1]}', 400),
        (b'{"features":[1e400,1,1,1]}', 400),
        (b'{"features":[1e39,1,1,1]}', 422),
        (b'{"features":[' + b"9" * 10_000 + b",1,1,1]}", 400),
        (b'{"features":[' + b"9" * 300 + b",1,1,1]}", 422),
        (b'{"features":[1,1,1,1],"features":[-1,1,1,1]}', 422),
        (b'{"features":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 413),
        (b'{"features":' + b"[" * 2_000 + b"]" * 2_000 + b"}", 400),
        (b'{"features":' + b'{"a":' * 2_000 + b"1" + b"}" * 2_000 + b"}", 400),
        (b'{"features":[' + b",".join([b"[]"] * 300_000) + b"]}", 413),
        (b'{"features":[' + b",".join([b"{}"] * 300_000) + b"]}", 413),
        (features([[1, 1, 1, 1]] * 1001), 413),
        (features([[1]] * 900), 422),
        (features(list(range(100_000))), 422),
        (features({"sepal_length": 1, "__proto__": 2}), 422),
        (features("x" * 900_000), 400),
        (b'{"\\ud800":1}', 400),
    ],
)
def test_json(server: ServerProcess, body: bytes, status: int) -> None:
    answer = server.ask(body)
    assert answer.status == status, answer
    assert len(answer.error) < 300


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (tensor(shape=[2, 4]), 422),
        (tensor(shape=[-1, 4]), 400),
        (tensor(shape=[-1, -4]), 400),
        (tensor(shape=[2**32, 2**32]), 400),
        (tensor(shape=[0, 2**62, 2**62], data=[]), 400),
        (tensor(shape=[2**62, 4]), 400),
        (tensor(shape=[0, 4], data=[]), 422),
        (tensor(shape=[4, 1]), 422),
        (tensor(shape=[1, 2, 2]), 422),
        (tensor(data=[ROW, ROW]), 422),
        (tensor(datatype="FP128"), 400),
        (tensor(datatype=["FP32"]), 400),
        (tensor(parameters={"binary_data_size": 10**30}), 400),
        (tensor(parameters={"binary_data_size": -1}), 400),
        (tensor(parameters=[]), 400),
        (tensor(parameters=[1]), 400),
        (b'{"inputs":[]}', 400),
        (b'{"inputs":[[]]}', 400),
        (tensor()[:-1] + b',"outputs":[{"name":"nonsense"}]}', 400),
        (tensor()[:-1] + b',"outputs":[' + b",".join([b'{"name":"predict_proba"}'] * 30_000) + b"]}", 413),
        (tensor()[:-1] + b',"outputs":[' + b",".join([b'{"name":"predict_proba"}'] * 2) + b"]}", 400),
    ],
)
def test_tensors(server: ServerProcess, body: bytes, status: int) -> None:
    assert ask(server.port, body, INFER).status == status


@pytest.mark.parametrize("said", ["-1", "9" * 5000, "1e3", "10000000", "x", " "])
def test_a_header_length_that_lies(server: ServerProcess, said: str) -> None:
    with server.wire() as wire:
        assert wire.send(post(tensor(), f"Inference-Header-Content-Length: {said}", path=INFER)).answer().status == 400
        assert wire.send(post()).answer().status == 200


@pytest.mark.parametrize("path", ["/predict", "/invocations", INFER])
@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/json2", "x" * 1000, ""]
)
def test_another_content_type(server: ServerProcess, path: str, media_type: str) -> None:
    answer = ask(server.port, tensor() if path == INFER else BODY, path, Content_Type=media_type)
    assert answer.status == (
        200 if (path, media_type) == (INFER, "") else 415
    )  # the protocol's clients may leave it out


def test_a_missing_content_type(server: ServerProcess) -> None:
    lines = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
    with server.wire() as wire:
        assert wire.send(lines).answer().status == 415


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (packed(BODY), "gzip", 200),
        (packed(b" " * 100_000_000 + BODY), "gzip", 413),
        (packed(packed(b" " * 100_000_000)), "gzip, gzip", 415),
        (packed(BODY)[:-4], "gzip", 400),
        (BODY, "gzip", 400),
        (BODY, "br", 415),
    ],
)
def test_compressed_bodies(server: ServerProcess, body: bytes, encoding: str, status: int) -> None:
    assert server.ask(body, Content_Encoding=encoding).status == status


@pytest.mark.parametrize("kind", ["text/csv", "application/jsonlines"])
def test_millions_of_tiny_rows(server: ServerProcess, kind: str) -> None:
    assert ask(server.port, b"1\n" * (MAX_BODY_BYTES // 2), "/invocations", Content_Type=kind).status == 413


def test_lines_of_one_value_are_not_taken_for_one_row(server: ServerProcess) -> None:
    assert ask(server.port, b"1\n2\n3\n4\n", "/invocations", Content_Type="application/jsonlines").status == 400


def test_a_body_over_the_limit_is_refused_by_its_length_unread(server: ServerProcess) -> None:
    with server.wire() as wire:
        assert wire.send(head(length=MAX_BODY_BYTES + 1)).answer().status == 413
        assert wire.is_closed()
    with server.wire() as wire:
        answer = wire.send_what_it_takes(head(length=MAX_BODY_BYTES + 1) + b"x" * MAX_BODY_BYTES).answer()
        assert answer.error == "the body is larger than 1000000 bytes"


def test_a_chunked_body_over_the_limit_is_refused_when_it_has_come_that_far(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.send(head("Transfer-Encoding: chunked"))
        wire.send_what_it_takes(b"10000\r\n%b\r\n" % (b" " * 65536) * 20)
        assert wire.answer().status == 413


def test_a_body_of_exactly_the_limit_passes(server: ServerProcess) -> None:
    assert server.ask(BODY.ljust(MAX_BODY_BYTES)).status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/models/../infer", 404),
        ("/v2/models/%2e%2e/infer", 404),
        ("/v2/models/%252e%252e/infer", 404),
        ("/v2/models/..%2f..%2f..%2fetc%2fpasswd/infer", 404),
        ("/v2/models/iris/../iris/infer", 404),
        ("/v2/models/iris%00/infer", 404),
        ("/v2/models/%ff%fe/infer", 404),
        ("/v2/models/%0d%0aX-Injected:%201/infer", 404),
        ("/v2/models/<script>/infer", 404),
        ("/v2/models/" + "a" * 7000 + "/infer", 404),
        ("/v2/models/" + "a" * 9000 + "/infer", 414),
        ("/v2/models/iris/versions/%2e%2e/infer", 404),
        ("/v2/models/iris/versions/latest/infer", 404),
        ("/static/../app.py", 404),
        ("/v2//models/iris/infer", 404),
        ("/v2/models//infer", 404),
        ("/predict/", 404),
        ("/PREDICT", 404),
        ("/predict?" + "a=1&" * 50, 400),
        ("/predict?probabilities=perhaps", 400),
        ("/%70redict", 200),
        ("http://elsewhere/predict", 200),
    ],
)
def test_tricks_in_the_path(server: ServerProcess, path: str, status: int) -> None:
    with server.wire() as wire:
        answer = wire.send(post(path=path)).answer()
    assert answer.status == status
    assert not {"x-injected", "location"} & set(answer.headers)
    assert len(answer.body) < 600


@pytest.mark.parametrize(
    "lines", [[f"X-{number}: a" for number in range(200)], ["X: " + "a" * 40_000], ["X: " + "a" * 1_000] * 60]
)
def test_header_floods(server: ServerProcess, lines: list[str]) -> None:
    with server.wire() as wire:
        assert wire.send_what_it_takes(post(BODY, *lines)).answer().status == 431


CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize(
    "request_bytes",
    [
        head("Transfer-Encoding: chunked", length=5) + b"0\r\n\r\n" + LIVE,
        head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + LIVE,
        head("Content-Length: 0", length=len(BODY)) + BODY,
        head(f"Content-Length: {len(BODY)}", length=len(BODY)) + BODY,
        head(f"Content-Length: {len(BODY)}, {len(BODY)}") + BODY,
        head(f"Content-Length: +{len(BODY)}") + BODY,
        head("Content-Length: -1") + BODY,
        head(f"Content-Length: {2**64 + len(BODY)}") + BODY,
        head(f"Content-Length: 0x{len(BODY):x}") + BODY,
        head(f"Content-Length : {len(BODY)}") + BODY,
        head("X: a\r\n folded", length=len(BODY)) + BODY,
        head("X: a\r\n\tContent-Length: 0", length=len(BODY)) + BODY,
        head("Transfer-Encoding: xchunked") + CHUNKED,
        head("Transfer-Encoding: chunked, identity") + CHUNKED,
        head("Transfer-Encoding: identity, chunked") + CHUNKED,
        head("Transfer-Encoding: \x0bchunked") + CHUNKED,
        head("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + CHUNKED,
        head("Transfer-Encoding: chunked", version="1.0") + CHUNKED,
        head("Transfer-Encoding: chunked") + b"-1\r\nx\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\nx\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked") + b"0x2\r\n{}\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked") + b"2\n{}\n0\n\n",
        head("Transfer-Encoding: chunked") + b"2\r\n{}x\r\n0\r\n\r\n",
        post().replace(b"\r\n", b"\n"),
        post().replace(b"Host: localhost\r\n", b"Host: localhost\n"),
        head("X: a\x00b", length=len(BODY)) + BODY,
        head("X: a\rb", length=len(BODY)) + BODY,
        head("No colon", length=len(BODY)) + BODY,
        head(": no name", length=len(BODY)) + BODY,
        post(version="2.0"),
        b"GET /\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"BREW /predict HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_shapes_that_two_servers_might_read_differently_end_the_connection(
    server: ServerProcess, request_bytes: bytes
) -> None:
    with server.wire() as wire:
        answer = wire.send(request_bytes).answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert wire.is_closed()


def test_a_header_with_an_underscore_does_not_pose_as_another(server: ServerProcess) -> None:
    with server.wire() as wire:
        assert wire.send(post(BODY, "Content_Length: 3", "Transfer_Encoding: chunked")).answer().status == 200


@pytest.mark.parametrize("count", [10, 200])
def test_pipelined_requests_are_answered_in_order(server: ServerProcess, count: int) -> None:
    classes = {"setosa": ROW, "virginica": [6.3, 3.3, 6.0, 2.5]}
    asked = [list(classes)[number % 3 == 0] for number in range(count)]
    stream = b"".join(post(features(classes[name])) for name in asked)
    with server.wire() as wire:
        wire.send(stream + post()[:-5])
        assert [json.loads(wire.answer().body)["prediction"] for _ in asked] == asked
        assert wire.send(post()[-5:]).answer().status == 200  # the one that was cut is not forgotten


def test_pipelined_errors_do_not_end_the_pipeline_but_a_refusal_does(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.send(post(b"{") + post() + LIVE + b"nonsense\r\n\r\n" + post())
        assert [wire.answer().status for _ in range(4)] == [400, 200, 200, 400]
        assert wire.is_closed()


@pytest.mark.parametrize(
    "wrong", [post(b"{"), post(features([1])), post(path="/nothing"), b"GET /predict HTTP/1.1\r\nHost: x\r\n\r\n"]
)
def test_a_connection_is_used_on_after_a_4xx(server: ServerProcess, wrong: bytes) -> None:
    with server.wire() as wire:
        for _ in range(2):
            assert 400 <= wire.send(wrong).answer().status < 500
            assert wire.send(post()).answer().status == 200


def test_expect_100_continue(server: ServerProcess) -> None:
    with server.wire() as wire:
        for _ in range(2):
            assert wire.send(head("Expect: 100-continue", length=len(BODY))).answer().status == 100
            assert wire.send(BODY).answer().status == 200
        assert wire.send(head("Expect: 100-continue", length=MAX_BODY_BYTES + 1)).answer().status == 413
    with server.wire() as wire:
        assert wire.send(head("Expect: magic", length=2)).answer().status == 417


def test_http_1_0(server: ServerProcess) -> None:
    with server.wire() as wire:
        answer = wire.send(post(BODY, "Connection: keep-alive", version="1.0")).answer()
        assert (answer.status, answer.headers["connection"]) == (200, "keep-alive")
        assert wire.send(post(version="1.0")).answer().headers["connection"] == "close"
        assert wire.is_closed()


@pytest.mark.parametrize(
    ("path", "status"), [("/v2/health/live", 200), ("/", 200), ("/nothing", 404), ("/predict", 405)]
)
def test_head_has_no_body(server: ServerProcess, path: str, status: int) -> None:
    with server.wire() as wire:
        wire.send(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert wire.answer(without_body=True).status == status
        assert wire.send(post()).answer().status == 200


@pytest.mark.parametrize("request_bytes", [post(), post() * 3, post(features([ROW] * 900))])
def test_a_client_that_has_closed_its_side_still_gets_its_answers(server: ServerProcess, request_bytes: bytes) -> None:
    with server.wire() as wire:
        wire.send(request_bytes).half_close()
        for _ in range(request_bytes.count(b"POST")):
            assert wire.answer().status == 200
        assert wire.is_closed()


@pytest.mark.parametrize("request_bytes", [b"", post()[:20], post()[:-1], post(), post(features([ROW] * 900))])
def test_clients_that_vanish(server: ServerProcess, request_bytes: bytes) -> None:
    for _ in range(5):
        server.wire().send(request_bytes).reset()
    with server.wire() as wire:
        wire.send(post()[:-1]).half_close()
        assert wire.is_closed()


def test_a_client_that_offers_another_protocol_is_answered_in_this_one(server: ServerProcess) -> None:
    with server.wire() as wire:
        for _ in range(2):
            offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
            assert wire.send(post(BODY, *offer)).answer().status == 200
        assert wire.send(LIVE).answer().status == 200


def test_one_byte_at_a_time(server: ServerProcess) -> None:
    with server.wire() as wire:
        for place in range(len(post())):
            wire.send(post()[place : place + 1])
        assert wire.answer().status == 200
