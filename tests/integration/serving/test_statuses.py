"""Each status means one thing, in every protocol."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from model_server import errors
from tests.integration.serving.conftest import Start
from tests.integration.serving.slow_model import SLOW_ROW, Gate, make_slow_bundle
from tests.server_process import BODY, ROW, ServerProcess, ask, request

KEY, TIRED = "good-key", "tired-key"
INFER = "/v2/models/iris/infer"
TENSOR: dict[str, Any] = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": ROW}


@pytest.fixture(scope="module")
def hashes(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("keys") / "hashes"
    file.write_text("".join(f"sha256:{hashlib.sha256(key.encode()).hexdigest()}\n" for key in (KEY, TIRED)))
    return str(file)


@pytest.fixture(scope="module")
def server(start: Start, hashes: str) -> ServerProcess:
    limits = ["--max-body-bytes", "100000", "--max-rows", "10", "--requests-per-second", "0.01", "--burst", "200"]
    return start("--key-hashes", hashes, *limits)


def good(path: str) -> Any:
    return {"inputs": [TENSOR]} if path == INFER else {"instances" if path == "/invocations" else "features": [ROW]}


def many(path: str, rows: int, value: float = 1.0) -> Any:
    table = [[value] * 4] * rows
    if path == INFER:
        return {"inputs": [TENSOR | {"shape": [rows, 4], "data": table}]}
    return {"instances" if path == "/invocations" else "features": table}


@pytest.mark.parametrize("path", ["/predict", "/invocations", INFER])
@pytest.mark.parametrize(
    ("status", "what"),
    [
        (200, {}),
        (400, {"data": b"{"}),
        (400, {"data": b"5"}),
        (401, {"key": "wrong"}),
        (404, {"tail": "/nothing"}),
        (405, {"method": "GET"}),
        (405, {"method": "DELETE"}),
        (413, {"data": b" " * 100_001}),
        (413, {"rows": 11}),
        (415, {"headers": {"Content-Type": "text/html"}}),
        (415, {"headers": {"Content-Encoding": "br"}}),
        (422, {"rows": 2, "value": -1.0}),
    ],
)
def test_a_status_means_one_thing(server: ServerProcess, path: str, status: int, what: dict[str, Any]) -> None:
    body = many(path, what["rows"], what.get("value", 1.0)) if "rows" in what else good(path)
    data = what.get("data") or json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-API-Key": what.get("key", KEY)} | what.get("headers", {})
    answer = request(server.port, what.get("method", "POST"), path + what.get("tail", ""), data, headers)
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    if status != 200:
        assert answer.error


@pytest.mark.parametrize("path", ["/predict", "/invocations"])
def test_406_what_nobody_makes(server: ServerProcess, path: str) -> None:
    assert ask(server.port, BODY, path, X_API_Key=KEY, Accept="image/png").status == 406


def test_405_says_what_is_allowed(server: ServerProcess) -> None:
    answer = request(server.port, "PUT", "/predict", b"", {"X-API-Key": KEY})
    assert (answer.status, set(answer.headers["allow"].split(", "))) == (405, {"POST", "OPTIONS"})


def test_429_says_when(server: ServerProcess) -> None:
    answers = [ask(server.port, BODY, X_API_Key=TIRED) for _ in range(201)]
    assert [answer.status for answer in answers] == [200] * 200 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_503_is_temporary(start: Start, tmp_path: Path) -> None:
    """Here because the answer took too long; before the golden rows were answered, see the unit tests."""
    gate = Gate(tmp_path / "gate")
    server = start("--open", "--answer-seconds", "0.5", bundle=make_slow_bundle(tmp_path / "slow", gate), workers=1)
    assert server.ask(SLOW_ROW).status == 503
    gate.open()
    assert server.ask(SLOW_ROW).status == 200


def test_every_error_of_the_server_has_a_status_of_its_own() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RequestError)]
    statuses = [kind.status for kind in kinds if kind is not errors.RequestError]
    assert sorted(statuses) == [400, 401, 404, 406, 413, 415, 422, 429, 500, 503]
