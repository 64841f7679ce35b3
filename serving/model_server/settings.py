"""What one server process is told at start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_server.http_limits import HttpLimits


@dataclass(frozen=True)
class Settings:
    """Limits of a request, who may ask, and what is written down.

    Attributes:
        max_body_bytes: a larger request body, also once decompressed, is answered with 413.
        max_rows: more rows in one request are answered with 413.
        open_to_all: whether requests need no API key.
        key_hashes: ``sha256:<hex>`` of the API keys.
        requests_per_second: per key, over all workers; 0: no limit.
        burst: how many requests may come at once before that rate counts.
        health_route: Vertex AI's, besides the others.
        predict_route: Vertex AI's.
        access_log: whether each request is a line of JSON on stdout.
        prediction_log: file that gets requests and answers, or None.
        prediction_sample: the share of requests that go there.
        head_seconds, body_seconds, answer_seconds, idle_seconds: see `HttpLimits`.
    """

    max_body_bytes: int = 16 * 1024 * 1024
    max_rows: int = 100_000
    open_to_all: bool = False
    key_hashes: tuple[str, ...] = ()
    requests_per_second: float = 0
    burst: int = 100
    health_route: str | None = None
    predict_route: str | None = None
    access_log: bool = True
    prediction_log: Path | None = None
    prediction_sample: float = 1.0
    head_seconds: float = HttpLimits.head_seconds
    body_seconds: float = HttpLimits.body_seconds
    answer_seconds: float = HttpLimits.answer_seconds
    idle_seconds: float = HttpLimits.keep_alive_seconds
