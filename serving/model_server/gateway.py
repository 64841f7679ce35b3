"""The outermost layer, a WSGI middleware around the Flask application: admission, the hot path, metrics and the access log.

The hot path: Flask's routing, request and response objects cost about six times what one prediction does. None of that is
needed for a POST to a fixed path, so such a request goes from here straight to the protocol that Flask's own route of that
path would call. Everything else, every other path and method, is Flask's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from flask import Flask

from model_server.api_keys import ApiKeys
from model_server.errors import DeniedError, RequestError, TooManyError
from model_server.gathering import Gathered, Gathering
from model_server.http_limits import HttpLimits
from model_server.journals import Access, PredictionLog
from model_server.message import QUICK_BYTES, Reply, Request
from model_server.metrics import Metrics
from model_server.protocols.predict import Predict
from model_server.protocols.protocol import JsonErrors, Protocol, respond
from model_server.rate_limit import RateLimit
from model_server.spool import Spool

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

_STATUS_TEXTS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class Gateway:
    """A WSGI application; `limits` and the methods but `__call__` are what `http_server` asks of one.

    Args:
        app: the Flask application.
        hot: the protocol of each path that takes a POST.
        open_paths: need no key: health.
        keys: None: everyone may ask.
        rate: None: as often as they like.
        metrics: counts every request.
        access_log, prediction_log: None: not kept.
        is_quick: whether the model answers a few rows in microseconds.
        limits: of the HTTP layer.
    """

    def __init__(
        self,
        app: Flask,
        hot: dict[str, Protocol],
        *,
        open_paths: Iterable[str],
        keys: ApiKeys | None,
        rate: RateLimit | None,
        metrics: Metrics,
        access_log: Spool | None,
        prediction_log: PredictionLog | None,
        is_quick: bool,
        limits: HttpLimits,
    ) -> None:
        self.limits = limits
        self._app, self._hot, self._open_paths = app, hot, frozenset(open_paths)
        self._keys, self._rate, self._metrics = keys, rate, metrics
        self._access_log, self._prediction_log = access_log, prediction_log
        self._quick_bytes = QUICK_BYTES if is_quick else 0
        predict = hot["/predict"]
        assert isinstance(predict, Predict)
        self._gathering = Gathering(predict, self._finish)
        self._digest = (("Slipway-Bundle", app.extensions["model"].bundle.digest),)

    def is_quick(self, environ: Environ, body_bytes: int) -> bool:
        """Whether the event loop may answer it: a small body, or a path that predicts nothing."""
        return body_bytes <= self._quick_bytes or environ["REQUEST_METHOD"] != "POST"

    def admit(self, environ: Environ) -> Reply | None:
        """Key and rate, from the head alone; the reply that refuses it, in the form of its protocol."""
        if self._keys is None or environ["PATH_INFO"] in self._open_paths:
            return None
        place = self._keys.find(environ)
        if place is None:
            return self._refuse(environ, DeniedError("an API key is needed: Authorization: Bearer <key>, or X-API-Key"))
        environ["slipway.key"] = self._keys.name(place)
        if self._rate and (seconds := self._rate.wait_seconds(place)):
            reply = self._refuse(environ, TooManyError(f"this key may ask again in {seconds:.3f} s"))
            return reply._replace(headers=(*reply.headers, ("Retry-After", str(int(seconds) + 1))))
        return None

    def note_refusal(self, environ: Environ, reply: Reply) -> None:
        """Count and log what the server refused by itself: no HTTP, too large, too slow. Its head may not be whole."""
        protocol = self._hot.get(environ.get("PATH_INFO", ""))
        known = {"REQUEST_METHOD": "", "PATH_INFO": ""} | environ
        self._note(known, protocol.name if protocol else "other", reply.status, time.perf_counter(), len(reply.body))

    def close(self) -> None:
        """Write out what the logs hold back."""
        for log in (self._access_log, self._prediction_log):
            if log:
                log.close()

    def gather(self, environ: Environ, body: bytes, send: Callable[[Reply], None]) -> bool:
        """Take a request along with others of this turn of the event loop; `send` gets its reply during `flush`.

        False: it is not of the kind that is gathered; call this object as a WSGI application.
        """
        is_predict = environ["PATH_INFO"] == "/predict" and environ["REQUEST_METHOD"] == "POST"
        return is_predict and self._quick_bytes > 0 and self._gathering.take(environ, body, send)

    def flush(self) -> None:
        """Answer what was gathered."""
        self._gathering.flush()

    def _finish(self, gathered: Gathered, reply: Reply) -> None:
        gathered.send(self._noted(gathered.environ, gathered.request, Predict.name, reply, gathered.started))

    def _noted(self, environ: Environ, request: Request, route: str, reply: Reply, started: float) -> Reply:
        """A protocol's reply, counted and logged, with the bundle's name on it."""
        if self._prediction_log:
            self._prediction_log.note(request, reply)
        self._note(environ, route, reply.status, started, len(reply.body))
        return Reply(reply.status, reply.body, reply.content_type, (*reply.headers, *self._digest))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        started = time.perf_counter()
        if "slipway.admitted" not in environ and (refusal := self.admit(environ)):
            start_response(_STATUS_TEXTS[refusal.status], [("Content-Type", refusal.content_type), *refusal.headers])
            return [refusal.body]
        protocol = self._hot.get(environ["PATH_INFO"]) if environ["REQUEST_METHOD"] == "POST" else None
        if protocol is None:
            return self._by_flask(environ, start_response, started)
        request = Request(environ, _body(environ))
        reply = self._noted(environ, request, protocol.name, respond(protocol, request), started)
        headers = [("Content-Type", reply.content_type), ("Content-Length", str(len(reply.body)))]
        start_response(_STATUS_TEXTS[reply.status], [*headers, *reply.headers])
        return [reply.body]

    def _by_flask(self, environ: Environ, start_response: StartResponse, started: float) -> Iterable[bytes]:
        status = 500

        def noting(text: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = int(text[:3])
            return start_response(text, headers, exc_info)

        answer = self._app(environ, noting)
        try:
            body = b"".join(answer)
        finally:
            if close := getattr(answer, "close", None):
                close()
        self._note(environ, environ.get("slipway.route", "other"), status, started, len(body))
        return [body]

    def _refuse(self, environ: Environ, error: RequestError) -> Reply:
        started = time.perf_counter()
        protocol = self._hot.get(environ["PATH_INFO"])
        reply = (protocol or JsonErrors()).refuse(error)
        self._note(environ, protocol.name if protocol else "other", reply.status, started, len(reply.body))
        return reply._replace(headers=(*reply.headers, *self._digest))

    def _note(self, environ: Environ, route: str, status: int, started: float, bytes_out: int) -> None:
        seconds = time.perf_counter() - started
        self._metrics.count_request(route, status, seconds)
        if self._access_log:
            self._access_log.put(
                Access(
                    time.time(),
                    environ["REQUEST_METHOD"],
                    environ["PATH_INFO"],
                    status,
                    seconds,
                    int(environ.get("CONTENT_LENGTH") or 0),
                    bytes_out,
                    environ.get("REMOTE_ADDR", ""),
                    environ.get("slipway.key"),
                )
            )


def _body(environ: Environ) -> bytes:
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    # Without a length only a server that ends the stream itself can be read to its end.
    return bytes(stream.read(int(length)) if length else stream.read() if environ.get("wsgi.input_terminated") else b"")
