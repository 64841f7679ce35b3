"""What the demo runner makes of the api-server's answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from slipway.core.errors import ConflictError, UnavailableError
from slipway.local import airflow_api
from slipway.local.airflow_api import AirflowApi

LOCKED = (500, {"detail": "(sqlite3.OperationalError) database is locked"})
UNDONE = (500, {"detail": {"reason": "Database error", "statement": "hidden"}})


class Server(ThreadingHTTPServer):
    """Gives its answers one after the other, the last one for ever; counts the requests."""

    answers: list[tuple[int, Any]]
    asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/auth/token":
            self._send(201, {"access_token": "t"})
            return
        self.server.asked += 1
        self._send(*(self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]))

    def _send(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: Any) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(airflow_api, "_PAUSE_SECONDS", 0)
    with Server(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def api(server: Server) -> AirflowApi:
    return AirflowApi(f"http://127.0.0.1:{server.server_address[1]}", "admin", "secret")


def test_what_a_locked_database_undid_is_asked_again(server: Server, api: AirflowApi) -> None:
    server.answers = [LOCKED, UNDONE, (200, {"dag_run_id": "r"})]
    assert api.post("/dags/d/dagRuns", {}) == {"dag_run_id": "r"}
    assert server.asked == 3


def test_a_database_that_stays_locked_is_told(server: Server, api: AirflowApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "_BUSY_SECONDS", 0.5)
    server.answers = [UNDONE]
    with pytest.raises(UnavailableError, match=r"POST /api/v2/dags/d/dagRuns: .*Database error"):
        api.post("/dags/d/dagRuns", {})
    assert server.asked > 1


@pytest.mark.parametrize(
    ("answer", "error"), [((409, {"detail": "there"}), ConflictError), ((500, {"detail": "broken"}), UnavailableError)]
)
def test_nothing_else_is_asked_twice(
    server: Server, api: AirflowApi, answer: tuple[int, Any], error: type[Exception]
) -> None:
    server.answers = [answer]
    with pytest.raises(error):
        api.post("/dags/d/dagRuns", {})
    assert server.asked == 1
