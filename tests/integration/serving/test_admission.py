"""Who may ask and how often: decided from the head, over all workers, in the form of the protocol that was asked."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from tests.integration.serving.conftest import Start
from tests.server_process import BODY, Answer, ServerProcess, ask, head, post, wait_until

GOOD, LIMITED, OBSERVER = "good-key", "limited-key", "observer-key"
BURST = 10
INFER = "/v2/models/iris/infer"


@pytest.fixture(scope="module")
def hashes(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("keys") / "hashes"
    keys = (GOOD, LIMITED, OBSERVER)
    file.write_text("".join(f"sha256:{hashlib.sha256(key.encode()).hexdigest()}\n" for key in keys))
    return str(file)


@pytest.fixture(scope="module")
def server(start: Start, hashes: str) -> ServerProcess:
    return start("--key-hashes", hashes, "--requests-per-second", "0.001", "--burst", str(BURST))


def ask_as(server: ServerProcess, key: str, path: str = "/predict") -> Answer:
    return ask(server.port, BODY, path, Authorization=f"Bearer {key}")


@pytest.mark.parametrize("path", ["/predict", "/invocations", INFER, "/nothing"])
@pytest.mark.parametrize(
    "line", ["X-None: 1", "Authorization: Bearer wrong", "X-API-Key: wrong", "Authorization: Basic \xe9"]
)
def test_without_a_key_nothing_of_the_body_is_awaited(server: ServerProcess, path: str, line: str) -> None:
    with server.wire() as wire:
        answer = wire.send(head(line, length=10_000_000, path=path)).answer()
        assert (answer.status, answer.headers["connection"]) == (401, "close")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["slipway-bundle"].startswith("sha256:")
        assert "an API key is needed" in answer.error
        assert ("error_code" in json.loads(answer.body)) == (path == "/invocations")
        assert wire.is_closed()


def test_without_a_key_no_body_is_invited(server: ServerProcess) -> None:
    with server.wire() as wire:
        assert wire.send(head("Expect: 100-continue", length=100)).answer().status == 401


@pytest.mark.parametrize("path", ["/", "/docs", "/metrics", "/openapi.json", "/v2", "/v2/models/iris", "/nothing"])
def test_what_tells_of_the_model_needs_a_key(server: ServerProcess, path: str) -> None:
    assert server.get(path).status == 401


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/ping"])
def test_health_needs_none(server: ServerProcess, path: str) -> None:
    assert server.get(path).status == 200


@pytest.mark.parametrize(
    "path", ["/ping/", "//ping", "/ping?x=/predict", "/v2/health/../models/iris", "/predict?/ping", "/predict#/ping"]
)
def test_a_path_that_looks_like_health_opens_nothing(server: ServerProcess, path: str) -> None:
    with server.wire() as wire:
        answer = wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).answer()
    assert answer.status in ({200} if path == "/ping?x=/predict" else {400, 401})


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {GOOD}",
        f"X-API-Key: {GOOD}",
        "Authorization: Basic " + base64.b64encode(f"me:{GOOD}".encode()).decode(),
    ],
)
def test_a_known_key_is_let_in(server: ServerProcess, line: str) -> None:
    with server.wire() as wire:
        assert wire.send(post(BODY, line)).answer().status == 200


def test_the_rate_is_one_over_both_workers_and_all_paths(server: ServerProcess) -> None:
    answers = [ask_as(server, LIMITED, path) for _ in range(10) for path in ("/predict", "/predict", "/invocations")]
    statuses = [answer.status for answer in answers]
    assert statuses == [200] * BURST + [429] * 20
    for answer in answers[BURST:]:
        assert int(answer.headers["retry-after"]) > 900
        assert "this key may ask again in" in answer.error
    lines = [f"Authorization: Bearer {LIMITED}"]
    with server.wire() as wire:  # the same head again: known by its bytes, and still refused
        assert wire.send(post(BODY, *lines)).answer().status == 429
    assert ask_as(server, OBSERVER).status == 200
    metrics = server_metrics(server)
    assert 'slipway_errors_total{error="too_many"} 21\n' in metrics
    wait_until(lambda: sum(line["status"] == 429 for line in server.access_lines()) == 21)
    refused = next(line for line in server.access_lines() if line["status"] == 429)
    assert (refused["key"], refused["remote"]) == (hashlib.sha256(LIMITED.encode()).hexdigest()[:8], "127.0.0.1")


def test_a_head_that_was_let_in_before_is_refused_once_over_the_rate(start: Start, hashes: str) -> None:
    """The short way for known heads asks too, and notes its refusal once."""
    server = start("--requests-per-second", "0.001", "--burst", "3", "--key-hashes", hashes, workers=1)
    with server.wire() as wire:
        statuses = [wire.send(post(BODY, f"X-API-Key: {GOOD}")).answer().status for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert 'slipway_errors_total{error="too_many"} 1\n' in server_metrics(server)


def server_metrics(server: ServerProcess) -> str:
    return server.get("/metrics", Authorization=f"Bearer {OBSERVER}").body.decode()
