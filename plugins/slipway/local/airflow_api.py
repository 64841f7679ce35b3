"""Airflow's REST API v2, as far as the demo runner needs it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, cast

from slipway.core.errors import AbsentError, ConflictError, DeniedError, RejectedError, SlipwayError, UnavailableError

_TOKEN_SECONDS = 600  # well below the day that a token lives
# The embedded profile's SQLite has one writer. Airflow gives up at once where a moment's wait would do, or after 5 s in which
# its api-server waited for itself; its answer says one of these, and nothing was written.
_LOCKED = ("locked", "Database error")
_BUSY_SECONDS = 60.0
_PAUSE_SECONDS = 0.5


class AirflowApi:
    """A client of one Airflow; logs in on first use."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._user, self._password = user, password
        self._token, self._token_until = "", 0.0

    def find_health(self) -> dict[str, str]:
        """State by part (`scheduler`, `dag_processor`, `triggerer`, `metadatabase`), empty while nothing answers."""
        try:
            health = self._request("GET", "/api/v2/monitor/health", authorised=False)
        except SlipwayError:
            return {}
        return {name: str(part.get("status")) for name, part in health.items() if part}

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET below /api/v2."""
        return self._request("GET", _with_query(path, query))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST below /api/v2."""
        return self._request("POST", f"/api/v2{path}", body)

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """PATCH below /api/v2."""
        return self._request("PATCH", f"/api/v2{path}", body)

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a task returned, or None."""
        run = urllib.parse.quote(run_id, safe="")
        path = f"/dags/{dag_id}/dagRuns/{run}/taskInstances/{task_id}/xcomEntries/return_value"
        try:
            return self.get(path, deserialize="true")["value"]
        except AbsentError:
            return None

    def log_lines(self, dag_id: str, run_id: str, task: dict[str, Any]) -> list[str]:
        """The last try's log of a task instance, one text per event."""
        run = urllib.parse.quote(run_id, safe="")
        path = f"/dags/{dag_id}/dagRuns/{run}/taskInstances/{task['task_id']}/logs/{max(1, task['try_number'])}"
        content = self.get(path, map_index=str(task["map_index"]), full_content="true").get("content", [])
        return [_log_text(event) for event in content]

    def _request(self, method: str, path: str, body: Any = None, *, authorised: bool = True) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if authorised:
            headers["Authorization"] = f"Bearer {self._bearer()}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers=headers, method=method)
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return cast("dict[str, Any]", json.load(answer))
            except urllib.error.HTTPError as error:
                translated = _translated(f"{method} {path}", error)
                is_locked = error.code >= 500 and any(word in translated.why for word in _LOCKED)
                if not is_locked or time.monotonic() > deadline:
                    raise translated from error
                time.sleep(_PAUSE_SECONDS)
            except (OSError, ValueError) as error:
                raise UnavailableError(
                    "could not ask Airflow", on=f"{self.url}{path}", why=str(error), fix="make status tells what runs."
                ) from error

    def _bearer(self) -> str:
        if time.monotonic() > self._token_until:
            login = {"username": self._user, "password": self._password}
            self._token = self._request("POST", "/auth/token", login, authorised=False)["access_token"]
            self._token_until = time.monotonic() + _TOKEN_SECONDS
        return self._token


def _with_query(path: str, query: dict[str, str]) -> str:
    return f"/api/v2{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")


def _log_text(event: Any) -> str:
    if not isinstance(event, dict):
        return str(event)
    text = str(event.get("event", ""))
    details = event.get("error_detail") or []
    return "\n".join([text, *(f"{item.get('exc_type')}: {item.get('exc_value')}" for item in details)])


def _translated(what: str, error: urllib.error.HTTPError) -> SlipwayError:
    kinds: dict[int, type[SlipwayError]] = {401: DeniedError, 403: DeniedError, 404: AbsentError, 409: ConflictError}
    try:
        detail = str(json.load(error).get("detail", ""))[:500]
    except ValueError:
        detail = ""
    kind = kinds.get(error.code, RejectedError if error.code < 500 else UnavailableError)
    return kind(
        "could not ask Airflow", on=what, why=detail or f"HTTP {error.code}", fix="The api-server's log says more."
    )
