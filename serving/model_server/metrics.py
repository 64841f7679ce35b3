"""Prometheus metrics that are right over all worker processes.

Every worker counts in a row of its own of one piece of shared memory, so no count needs a lock between processes, and any
worker can add up all rows when it is asked. A worker that is replaced leaves its row, with what it counted, to its
successor. Text format: Prometheus exposition format 0.0.4.
"""

from __future__ import annotations

import mmap
import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253

STATUSES = (200, 400, 401, 404, 405, 406, 408, 413, 414, 415, 417, 422, 429, 431, 500, 503)
ERRORS = {
    400: "malformed", 401: "denied", 404: "absent", 405: "method", 406: "unacceptable", 408: "slow", 413: "too_large",
    414: "too_large", 415: "unsupported", 417: "unsupported", 422: "schema", 429: "too_many", 431: "too_large",
    500: "internal", 503: "not_ready",
}  # fmt: skip
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """To be made before workers are forked; each worker calls `take_row` once.

    Args:
        workers: how many run at once; twice as many rows are kept, for those that are being replaced.
        routes: names of the routes.
        classes: names of the classes that are predicted.
        info: labels of `slipway_model_info`.
    """

    def __init__(self, workers: int, routes: Sequence[str], classes: Sequence[str], info: dict[str, str]) -> None:
        self._routes = {name: place for place, name in enumerate(routes)}
        self._classes, self._info = list(classes), info
        self._status_width, self._bucket_width = len(STATUSES) + 1, len(BUCKETS) + 2  # +Inf and the sum
        self._buckets_from = len(routes) * self._status_width
        self._rows_from = self._buckets_from + len(routes) * self._bucket_width
        width = self._rows_from + 1 + len(classes)
        self._rows, self._width = 2 * workers, width
        self._memory = memoryview(mmap.mmap(-1, self._rows * width * 8)).cast("d")
        self._places = {status: place for place, status in enumerate(STATUSES)}
        self._lock = threading.Lock()
        self.take_row(0)

    def take_row(self, number: int) -> None:
        """Count in this row from now on."""
        start = (number % self._rows) * self._width
        self._row = self._memory[start : start + self._width]

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """One answered request."""
        place = self._routes.get(route, len(self._routes) - 1)
        bucket = bisect_left(BUCKETS, seconds)
        histogram = self._buckets_from + place * self._bucket_width
        with self._lock:
            self._row[place * self._status_width + self._places.get(status, len(STATUSES))] += 1
            self._row[histogram + bucket] += 1
            self._row[histogram + self._bucket_width - 1] += seconds

    def count_predictions(self, predicted: npt.NDArray[Any]) -> None:
        """Rows, and the classes that were predicted for them."""
        first = self._rows_from + 1
        with self._lock:
            self._row[self._rows_from] += len(predicted)
            if not self._classes:
                return
            if len(predicted) == 1:
                self._row[first + predicted[0]] += 1
                return
            for code, count in enumerate(np.bincount(predicted).tolist()):
                self._row[first + code] += count

    def render(self) -> bytes:
        """All workers' counts."""
        total = np.array(self._memory).reshape(self._rows, self._width).sum(axis=0).tolist()
        return ("\n".join(self._lines(total)) + "\n").encode()

    def _lines(self, total: list[float]) -> Iterator[str]:
        yield from _family("slipway_model_info", "gauge", "The bundle that is served.")
        yield f"slipway_model_info{_labels(self._info)} 1"
        yield from self._requests(total)
        yield from self._seconds(total)
        yield from _family("slipway_rows_total", "counter", "Rows predicted.")
        yield f"slipway_rows_total {total[self._rows_from]:.0f}"
        if self._classes:
            yield from _family("slipway_predictions_total", "counter", "Predictions by class.")
            for name, count in zip(self._classes, total[self._rows_from + 1 :], strict=True):
                yield f"slipway_predictions_total{_labels({'class': name})} {count:.0f}"

    def _requests(self, total: list[float]) -> Iterator[str]:
        errors = dict.fromkeys([*ERRORS.values(), "other"], 0.0)
        yield from _family("slipway_requests_total", "counter", "Requests by route and status.")
        for route, place in self._routes.items():
            counts = total[place * self._status_width : (place + 1) * self._status_width]
            for status, count in zip([*STATUSES, "other"], counts, strict=True):
                if count:
                    yield f"slipway_requests_total{_labels({'route': route, 'status': str(status)})} {count:.0f}"
                if status != 200:
                    errors[ERRORS.get(status, "other")] += count  # type: ignore[call-overload]
        yield from _family("slipway_errors_total", "counter", "Requests that were refused or failed, by class.")
        for name, count in errors.items():
            yield f"slipway_errors_total{_labels({'error': name})} {count:.0f}"

    def _seconds(self, total: list[float]) -> Iterator[str]:
        name = "slipway_request_seconds"
        yield from _family(name, "histogram", "Seconds from a whole request to its answer, by route.")
        for route, place in self._routes.items():
            start = self._buckets_from + place * self._bucket_width
            *counts, seconds = total[start : start + self._bucket_width]
            below = 0.0
            for bound, count in zip([*BUCKETS, "+Inf"], counts, strict=True):
                below += count
                yield f"{name}_bucket{_labels({'route': route, 'le': str(bound)})} {below:.0f}"
            yield f"{name}_sum{_labels({'route': route})} {seconds:.9g}"
            yield f"{name}_count{_labels({'route': route})} {below:.0f}"


def _family(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
