"""Requests that arrive together are answered as each would be alone, and one that is wrong is told so alone."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_server.bundle import open_bundle
from model_server.gateway import Gateway
from model_server.message import Reply
from model_server.service import Service
from model_server.settings import Settings
from tests.bundle_maker import make_bundle

SETOSA, VERSICOLOR, VIRGINICA = [5.1, 3.5, 1.4, 0.2], [6.0, 2.7, 4.5, 1.3], [6.3, 3.3, 6.0, 2.5]
NAMED = dict(zip(["sepal_length", "sepal_width", "petal_length", "petal_width"], VIRGINICA, strict=True))


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return serve(tmp_path)


def serve(folder: Path, runtime: str = "onnx") -> Gateway:
    bundle = open_bundle(folder / "b", make_bundle(folder / "b", runtime=runtime))
    return Service(bundle, Settings(open_to_all=True, access_log=False, max_rows=5), workers=1).application()


def environ(**changes: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/predict",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "slipway.admitted": True,
        **changes,
    }


def together(gateway: Gateway, *bodies: bytes) -> list[Reply]:
    """What each gets when all arrive in one turn of the loop."""
    replies: dict[int, Reply] = {}

    def keeping(place: int) -> Callable[[Reply], None]:
        return lambda reply: replies.update({place: reply})

    for place, body in enumerate(bodies):
        assert gateway.gather(environ(), body, keeping(place))
    assert not replies
    gateway.flush()
    return [replies[place] for place in range(len(bodies))]


def alone(gateway: Gateway, body: bytes) -> tuple[int, bytes, set[tuple[str, str]]]:
    started: list[Any] = []
    stream = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    parts = gateway(environ() | stream, lambda status, headers: started.extend((status, headers)))
    headers = {(name, value) for name, value in started[1] if name != "Content-Length"}
    return int(started[0][:3]), b"".join(parts), headers


def bodies(*features: Any) -> list[bytes]:
    return [json.dumps({"features": each}).encode() for each in features]


GOOD = bodies(SETOSA, [VIRGINICA], NAMED, [VERSICOLOR, SETOSA], [NAMED, NAMED], [5, 3, 1, 0], VERSICOLOR)
BAD = [b"{", b'{"feature": 1}', *bodies([1, 2], ["x", 1, 1, 1], [-1, 1, 1, 1], [SETOSA] * 6, [])]


def test_each_gets_its_own_answer(gateway: Gateway) -> None:
    found = [json.loads(reply.body)["prediction"] for reply in together(gateway, *GOOD)]
    assert found == [
        "setosa",
        ["virginica"],
        "virginica",
        ["versicolor", "setosa"],
        ["virginica", "virginica"],
        "setosa",
        "versicolor",
    ]


@pytest.mark.parametrize("wrong", [[], [BAD[0]], BAD], ids=["all good", "one bad", "all bad too"])
def test_together_is_as_alone(gateway: Gateway, wrong: list[bytes]) -> None:
    asked = [*GOOD[:3], *wrong, *GOOD[3:]]
    for body, reply in zip(asked, together(gateway, *asked), strict=True):
        headers = {("Content-Type", reply.content_type), *reply.headers}
        assert (reply.status, reply.body, headers) == alone(gateway, body)


def test_one_alone_is_answered_too(gateway: Gateway) -> None:
    [reply] = together(gateway, GOOD[0])
    assert (reply.status, reply.body) == (200, b'{"prediction":"setosa"}')
    gateway.flush()


def test_a_fault_of_the_model_is_told_to_each(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    model = gateway._app.extensions["model"]
    monkeypatch.setattr(model._runtime, "run", lambda *_args, **_options: 1 / 0)
    assert [reply.status for reply in together(gateway, *GOOD[:3])] == [500, 500, 500]


def test_all_are_counted(gateway: Gateway) -> None:
    together(gateway, *GOOD[:2], BAD[0])
    text = gateway._app.extensions["metrics"].render().decode()
    assert 'slipway_requests_total{route="predict",status="200"} 2' in text
    assert 'slipway_requests_total{route="predict",status="400"} 1' in text
    assert "slipway_rows_total 2" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"QUERY_STRING": "probabilities=true"},
        {"CONTENT_TYPE": "text/csv"},
        {"HTTP_ACCEPT": "text/csv"},
        {"HTTP_CONTENT_ENCODING": "gzip"},
        {"PATH_INFO": "/invocations"},
        {"REQUEST_METHOD": "GET"},
    ],
)
def test_what_is_not_plain_goes_the_other_way(gateway: Gateway, changes: dict[str, str]) -> None:
    assert not gateway.gather(environ(**changes), GOOD[0], lambda _reply: None)


def test_large_bodies_and_slow_models_go_the_other_way(gateway: Gateway, tmp_path: Path) -> None:
    assert not gateway.gather(environ(), b" " * 20_000, lambda _reply: None)
    slow = serve(tmp_path / "slow", runtime="joblib")
    assert not slow.gather(environ(), GOOD[0], lambda _reply: None)
