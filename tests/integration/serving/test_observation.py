"""Metrics and logs of two workers: right in sum, also after one of them was killed, and never with inputs in them."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.integration.serving.conftest import Start
from tests.server_process import BODY, ServerProcess, ask, head, post, wait_until

SECRET = 4.242424


def metric(server: ServerProcess, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", server.get("/metrics").body.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def kill_one(server: ServerProcess, number: int) -> None:
    """And wait until gunicorn has put another in its place."""
    before = {worker.pid for worker in server.workers()}
    os.kill(sorted(before)[0], number)
    wait_until(lambda: len({worker.pid for worker in server.workers()} - before) == 1)
    wait_until(lambda: len(server.workers()) == 2)


def ask_many(server: ServerProcess, count: int) -> None:
    """On new connections, so that both workers get some."""
    assert all(server.ask().status == 200 for _ in range(count))


def test_metrics_add_up_over_workers_and_outlive_one(start: Start) -> None:
    server = start("--open")
    ask_many(server, 60)
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        kill_one(server, number)
        ask_many(server, 20)
    three = json.dumps({"features": [[6.3, 3.3, 6.0, 2.5]] * 3}).encode()
    assert ask(server.port, three).status == 200
    assert metric(server, 'slipway_requests_total{route="predict",status="200"}') == 121
    assert metric(server, 'slipway_request_seconds_count{route="predict"}') == 121
    assert metric(server, "slipway_rows_total") == 123
    assert metric(server, 'slipway_predictions_total{class="setosa"}') == 120
    assert metric(server, 'slipway_predictions_total{class="virginica"}') == 3
    assert "Traceback" not in server.errors()


def test_what_the_http_layer_refuses_is_counted_too(start: Start) -> None:
    server = start("--open", "--body-seconds", "0.2")
    for request_bytes, status in [
        (b"nonsense\r\n\r\n", 400),
        (head(length=10**9), 413),
        (post(BODY, *["X: a"] * 200), 431),
        (head(length=5), 408),
        (post(path="/" + "x" * 9000), 414),
        (head("Expect: magic", length=5), 417),
    ]:
        with server.wire() as wire:
            assert wire.send_what_it_takes(request_bytes).answer().status == status
    errors = {
        name: metric(server, f'slipway_errors_total{{error="{name}"}}')
        for name in ("malformed", "too_large", "slow", "unsupported", "internal")
    }
    assert errors == {"malformed": 1, "too_large": 3, "slow": 1, "unsupported": 1, "internal": 0}
    assert metric(server, 'slipway_requests_total{route="predict",status="413"}') == 1
    wait_until(lambda: len([line for line in server.access_lines() if line["status"] >= 400]) == 6)
    assert {line["remote"] for line in server.access_lines()} == {"127.0.0.1"}


@pytest.mark.parametrize("runtime", ["onnx", "joblib"])
def test_the_access_log_is_json_without_inputs_and_whole_after_sigterm(start: Start, runtime: str) -> None:
    server = start("--open", runtime=runtime)
    body = json.dumps({"features": [SECRET, 3.5, 1.4, 0.2]}).encode()
    assert ask(server.port, body, f"/predict?secret={SECRET}").status == 200
    assert ask(server.port, body[:-1], "/predict").status == 400
    assert ask(server.port, json.dumps({"features": [-SECRET, 1, 1, 1]}).encode(), "/invocations").status == 422
    assert server.get("/v2/health/ready").status == 200
    assert server.stop() == 0
    lines = server.access_lines()
    seen = [(line["method"], line["path"], line["status"]) for line in lines]
    assert sorted(seen) == [
        ("GET", "/v2/health/ready", 200),
        ("POST", "/invocations", 422),
        ("POST", "/predict", 200),
        ("POST", "/predict", 400),
    ]
    for line in lines:
        assert set(line) == {"time", "method", "path", "status", "seconds", "bytes_in", "bytes_out", "remote", "key"}
        assert str(SECRET) not in json.dumps(line)
    assert str(SECRET) not in server.errors()


def test_the_prediction_log_is_kept_beside_by_each_worker(start: Start, tmp_path: Path) -> None:
    server = start("--open", "--prediction-log", str(tmp_path / "seen.jsonl"))
    ask_many(server, 30)
    assert server.stop() == 0
    files = sorted(tmp_path.iterdir())
    assert {file.name for file in files} <= {"seen-0.jsonl", "seen-1.jsonl"}
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert len(lines) == 30
    assert {json.dumps(line["answer"]) for line in lines} == {'{"prediction": "setosa"}'}


def test_answers_tell_nothing_of_the_inside(start: Start) -> None:
    server = start("--open")
    shown = [
        server.ask(b"{").body,
        server.get("/nothing").body,
        ask(server.port, BODY, "/predict", Content_Type="x").body,
        ask(server.port, b"{}", "/v2/models/iris/infer").body,
        server.get("/v2").body,
    ]
    inside = [str(Path(__file__).parents[3]), "Traceback", "site-packages", ".py", "gunicorn", "Werkzeug", "uvloop"]
    assert not [word for word in inside for text in shown if word.encode() in text]
    answer = server.get("/nothing")
    assert not {"server", "x-powered-by"} & set(answer.headers)
