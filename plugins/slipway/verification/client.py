"""A client of the model server's `/predict`, as a user would have one: HTTP, nothing else. Standard library."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from slipway.core.errors import RolloutError, UnavailableError


@dataclass(frozen=True)
class Answer:
    """A body, and the digest of the bundle that gave it."""

    body: dict[str, Any]
    digest: str


def ask(
    endpoint: str,
    rows: list[list[Any]],
    *,
    probabilities: bool,
    api_key: str | None = None,
    timeout_seconds: float = 30,
) -> Answer:
    """POST all rows at once; a refused connection is tried again until the time is up.

    Args:
        endpoint: its URL.
        rows: positional rows of JSON values.
        probabilities: whether to ask for them too.
        api_key: None: the endpoint is open.
        timeout_seconds: for all tries together.

    Raises:
        RolloutError: the endpoint refused the rows, or what it says is no JSON; holds its text.
        UnavailableError: nothing answered in time, or our key asked too often.
    """
    url = f"{endpoint}/predict" + ("?probabilities=true" if probabilities else "")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
    request = urllib.request.Request(url, json.dumps({"features": rows}).encode(), headers, method="POST")
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
                return Answer(_parsed(url, answer.read()), answer.headers.get("Slipway-Bundle", ""))
        except urllib.error.HTTPError as error:
            why = f"status {error.code}: {error.read(500).decode(errors='replace')}"
            fix = "The server's log says more; this run is undone."
            if error.code == http.HTTPStatus.TOO_MANY_REQUESTS:
                fix = "Who else asks with Slipway's own key? Raise access.requests_per_second."
                raise UnavailableError("could not verify the endpoint", on=url, why=why, fix=fix) from error
            raise RolloutError("could not verify the endpoint", on=url, why=why, fix=fix) from error
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() > deadline:
                why = f"no answer in {timeout_seconds:.0f} s; last: {error}"
                fix = "Is there a firewall between this worker and the endpoint? Does its process run?"
                raise UnavailableError("could not verify the endpoint", on=url, why=why, fix=fix) from error
            time.sleep(0.5)


def _parsed(url: str, text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        why = f"its answer is no JSON: {text[:200]!r}"
        fix = "Does something else listen at that address? This run is undone."
        raise RolloutError("could not verify the endpoint", on=url, why=why, fix=fix) from error
    return value if isinstance(value, dict) else {}
