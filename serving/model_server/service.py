"""Puts the parts together: what all workers share is made before they are forked, the rest in each worker.

The large libraries are imported before the fork: their pages are shared by all workers, and none pays for it again. ONNX
Runtime could not be, were its telemetry on, whose threads a fork leaves behind; `__main__` turns it off.
"""

from __future__ import annotations

import flask  # noqa: F401
import numpy as np  # noqa: F401, TID253

from model_server.api_keys import ApiKeys
from model_server.app import create_app, health_paths, metrics_of, protocols_of
from model_server.bundle import Bundle
from model_server.gateway import Gateway
from model_server.http_limits import HttpLimits
from model_server.journals import PredictionLog, access_log
from model_server.model import Model
from model_server.rate_limit import RateLimit
from model_server.settings import Settings


class Service:
    """One served bundle.

    Attributes:
        row: of the metrics, for the worker that is forked next.
    """

    def __init__(self, bundle: Bundle, settings: Settings, *, workers: int) -> None:
        if bundle.metadata["runtime"] == "onnx":
            import onnxruntime  # noqa: F401  as above
        self._bundle, self._settings = bundle, settings
        self._keys = None if settings.open_to_all else ApiKeys(settings.key_hashes)
        rate = settings.requests_per_second
        self._rate = RateLimit(len(self._keys), rate, settings.burst) if self._keys and rate else None
        self._metrics = metrics_of(bundle, settings, workers=workers)
        self.row = 0

    def application(self) -> Gateway:
        """The WSGI application of one worker.

        Raises:
            BundleError: the model cannot be loaded, or answers a golden row otherwise than in training.
        """
        settings = self._settings
        self._metrics.take_row(self.row)
        model = Model.load(self._bundle)
        model.warm_up()
        log = settings.prediction_log
        return Gateway(
            create_app(settings, model, self._metrics),
            protocols_of(model, settings),
            open_paths=health_paths(settings),
            keys=self._keys,
            rate=self._rate,
            metrics=self._metrics,
            access_log=access_log() if settings.access_log else None,
            prediction_log=PredictionLog(log, settings.prediction_sample, self.row) if log else None,
            is_quick=model.is_quick,
            limits=_limits(settings, is_quick=model.is_quick),
        )


def _limits(settings: Settings, *, is_quick: bool) -> HttpLimits:
    return HttpLimits(
        head_seconds=settings.head_seconds,
        body_seconds=settings.body_seconds,
        answer_seconds=settings.answer_seconds,
        keep_alive_seconds=settings.idle_seconds,
        max_body_bytes=settings.max_body_bytes,
        # As many threads as requests that a slow model may be given together.
        threads=HttpLimits.threads if is_quick else 16,
    )
