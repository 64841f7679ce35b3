"""Small requests that arrive in one turn of the event loop are predicted in one call.

No request waits for others to come: when the loop has read what had arrived, and before it looks for more, all that was
gathered is answered. One connection alone is as fast as without; of many, each pays its part of a call of NumPy and ONNX
Runtime, which cost much the same for one row as for twenty.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from model_server.http_head import Environ
from model_server.message import Reply, Request
from model_server.protocols.predict import Predict
from model_server.protocols.protocol import respond

log = logging.getLogger(__name__)

SMALL_BYTES = 16 * 1024


class Gathered(NamedTuple):
    """One request, when it came, and where its reply goes."""

    environ: Environ
    request: Request
    started: float
    send: Callable[[Reply], None]


class Gathering:
    """The requests of one turn.

    Args:
        predict: answers them.
        finish: gets each with its reply, to count it and to send it.
    """

    def __init__(self, predict: Predict, finish: Callable[[Gathered, Reply], None]) -> None:
        self._predict, self._finish = predict, finish
        self._gathered: list[Gathered] = []

    def take(self, environ: Environ, body: bytes, send: Callable[[Reply], None]) -> bool:
        """Take the request, if it is of the plain kind; `flush` must follow."""
        request = Request(environ, body)
        if len(body) > SMALL_BYTES or not self._predict.is_plain(request):
            return False
        self._gathered.append(Gathered(environ, request, time.perf_counter(), send))
        return True

    def flush(self) -> None:
        """Answer what was taken."""
        gathered, self._gathered = self._gathered, []
        requests = [each.request for each in gathered]
        for each, reply in zip(gathered, self._replies(requests), strict=True):
            self._finish(each, reply)

    def _replies(self, requests: list[Request]) -> list[Reply]:
        if len(requests) > 1:
            try:
                return self._predict.answer_together(requests)
            except Exception as error:  # whatever is wrong with one is answered to it alone
                log.debug("answered one by one: %s", error)
        return [respond(self._predict, request) for request in requests]
