"""What is written down of requests: the access log, without inputs, and by wish a sample of requests with their answers."""

from __future__ import annotations

import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import orjson

from model_server.message import JSON, Reply, Request
from model_server.spool import RotatingFile, Spool

PREDICTION_LOG_BYTES = 64 * 1024 * 1024
MAX_LOGGED_BYTES = 64 * 1024


class Access(NamedTuple):
    """One line of the access log."""

    time: float
    method: str
    path: str
    status: int
    seconds: float
    bytes_in: int
    bytes_out: int
    remote: str
    key: str | None


class Prediction(NamedTuple):
    """One line of the prediction log."""

    time: float
    body: bytes
    answer: bytes


def access_log() -> Spool:
    """On stdout, one JSON object a line."""
    stream = sys.stdout.buffer

    def write(data: bytes) -> None:
        stream.write(data)
        stream.flush()

    return Spool(write, _access_line)


class PredictionLog:
    """A sample of the JSON requests and their answers, in files of bounded size, one a worker."""

    def __init__(self, path: Path, sample: float, worker: int) -> None:
        own = path.with_name(f"{path.stem}-{worker}{path.suffix}")
        self._spool = Spool(RotatingFile(own, PREDICTION_LOG_BYTES).write, _prediction_line, capacity=1000)
        self._sample = sample
        self.close = self._spool.close

    def note(self, request: Request, reply: Reply) -> None:
        """Keep the pair, if it is drawn and is small."""
        if not request.media_type == reply.content_type == JSON or reply.status != 200:
            return
        if len(request.body) > MAX_LOGGED_BYTES:
            return
        if random.random() < self._sample:  # noqa: S311  a sample, not a secret
            self._spool.put(Prediction(time.time(), request.body, reply.body))


def _access_line(access: Access) -> bytes:
    line = access._asdict() | {"time": _iso(access.time), "seconds": round(access.seconds, 6)}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _prediction_line(prediction: Prediction) -> bytes:
    try:
        body = orjson.loads(prediction.body)
    except orjson.JSONDecodeError:  # compressed
        return b""
    line = {"time": _iso(prediction.time), "request": body, "answer": orjson.Fragment(prediction.answer)}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
