"""A look at a public address, whose parts come one after the other: name, connection, certificate, route, the right pods."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
from dataclasses import dataclass
from typing import Any, Literal

from slipway.verification.client import NO_ANSWER, Reply, post
from slipway.verification.golden_check import compare, other_bundle

Part = Literal["name", "connection", "certificate", "route", "bundle"]

_NOT_YET = {404, 502, 503, 504}
# The Gateway API's answer for a route whose backends are not there; a model server's own names its bundle.
_NOT_YET_OF_A_PROXY = _NOT_YET | {500}


@dataclass(frozen=True)
class Lag:
    """Which part is not as it will be, and what was `seen` of it."""

    part: Part
    seen: str


def find_lag(
    golden: dict[str, Any], digest: str, endpoint: str, api_key: str | None = None, timeout_seconds: float = 30
) -> Lag | None:
    """Put the golden rows to the endpoint, once; None: it answers as in training.

    Args:
        golden: of the bundle with this digest.
        digest: the bundle that is to answer.
        endpoint: its URL.
        api_key: None: the endpoint is open.
        timeout_seconds: without a sign from the other side.

    Raises:
        RolloutError: the right bundle gave a wrong answer, or the rows or our key were refused: waiting cannot help.
        UnavailableError: our key asked too often.
    """
    probabilities = golden["probabilities"] is not None
    try:
        reply = post(
            endpoint, golden["rows"], probabilities=probabilities, api_key=api_key, timeout_seconds=timeout_seconds
        )
    except NO_ANSWER as error:
        return _silence(error)
    if lag := _lag_of(reply, digest):
        return lag
    compare(golden, reply.answer(), endpoint)
    return None


def _lag_of(reply: Reply, digest: str) -> Lag | None:
    """By who answered: an old pod, the right one, or something in between that names no bundle."""
    if reply.digest and reply.digest != digest:
        return Lag("bundle", other_bundle(reply.digest, digest))
    if reply.status in (_NOT_YET if reply.digest else _NOT_YET_OF_A_PROXY):
        return Lag("route", reply.said)
    if not reply.digest and 200 <= reply.status < 300:
        return Lag("route", f"{reply.said[:200]!r}, without the name of a bundle")
    return None


def _silence(error: OSError | http.client.HTTPException) -> Lag:
    """urllib wraps what the system said, where it said it before the request was sent."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    text = str(reason) or type(reason).__name__
    if isinstance(reason, socket.gaierror):
        return Lag("name", text)
    return Lag("certificate" if isinstance(reason, ssl.SSLError) else "connection", text)
