"""A client of the model server's `/predict`, as a user would have one: HTTP, nothing else. Standard library."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from slipway.core.errors import RolloutError, UnavailableError

FAILED = "could not verify the endpoint"
NO_ANSWER = (OSError, http.client.HTTPException)
"""What `post` raises where nothing answers, or not to the end."""


@dataclass(frozen=True)
class Answer:
    """A body, and the digest of the bundle that gave it."""

    body: dict[str, Any]
    digest: str


@dataclass(frozen=True)
class Reply:
    """An HTTP answer of any status; `digest` is empty where it was not the model server that gave it."""

    url: str
    status: int
    digest: str
    text: bytes

    @property
    def said(self) -> str:
        """Status and text, cut short."""
        return f"status {self.status}: {self.text[:500].decode(errors='replace')}"

    def answer(self) -> Answer:
        """What a success holds.

        Raises:
            RolloutError: it is none, or no JSON; holds its text.
            UnavailableError: our key asked too often.
        """
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            fix = "Who else asks with Slipway's own key? Raise access.requests_per_second."
            raise UnavailableError(FAILED, on=self.url, why=self.said, fix=fix)
        if not 200 <= self.status < 300:
            raise RolloutError(
                FAILED, on=self.url, why=self.said, fix="The server's log says more; this run is undone."
            )
        return Answer(_parsed(self.url, self.text), self.digest)


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
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            reply = post(endpoint, rows, probabilities=probabilities, api_key=api_key, timeout_seconds=timeout_seconds)
        except NO_ANSWER as error:
            if time.monotonic() > deadline:
                why = f"no answer in {timeout_seconds:.0f} s; last: {error}"
                fix = "Is there a firewall between this worker and the endpoint? Does its process run?"
                raise UnavailableError(FAILED, on=_url(endpoint, probabilities), why=why, fix=fix) from error
            time.sleep(0.5)
        else:
            return reply.answer()


def post(
    endpoint: str, rows: list[list[Any]], *, probabilities: bool, api_key: str | None, timeout_seconds: float
) -> Reply:
    """POST all rows, once; arguments as `ask` has them. Raises `NO_ANSWER`."""
    url = _url(endpoint, probabilities)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
    request = urllib.request.Request(url, json.dumps({"features": rows}).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
            return Reply(url, answer.status, answer.headers.get("Slipway-Bundle", ""), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(url, error.code, error.headers.get("Slipway-Bundle", ""), error.read(500))


def _url(endpoint: str, probabilities: bool) -> str:
    return f"{endpoint}/predict" + ("?probabilities=true" if probabilities else "")


def _parsed(url: str, text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        why = f"its answer is no JSON: {text[:200]!r}"
        fix = "Does something else listen at that address? This run is undone."
        raise RolloutError(FAILED, on=url, why=why, fix=fix) from error
    return value if isinstance(value, dict) else {}
