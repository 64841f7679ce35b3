"""What a version must be like, by the section `analysis` of a model file: traffic in, measurements out. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from slipway.verification.analysis import Limits, Measurement
from slipway.verification.pods import number_of_pods
from slipway.verification.version_metrics import Traffic, quantile, total

ERROR_RATE, LATENCY, GOLDEN, RESTARTS = "error rate", "p99 latency", "golden rows", "restarts"


@dataclass(frozen=True)
class Criteria:
    """The section, without what is not about numbers.

    Attributes:
        interval_seconds: between two measurements of a metric.
        maximum_error_rate: share of answers with a status of 500 or above, 0 to 1.
        maximum_latency_seconds: of all but the slowest hundredth of the answers; None: not measured.
        minimum_requests: fewer in one interval say nothing.
        golden_rows: whether to replay them.
        limits: when a metric is decided.
    """

    interval_seconds: float
    maximum_error_rate: float
    maximum_latency_seconds: float | None
    minimum_requests: int
    golden_rows: bool
    limits: Limits

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Criteria:
        """From the section as a dictionary."""
        own = {each.name: section[each.name] for each in fields(cls) if each.name != "limits"}
        return cls(**own, limits=Limits(**{each.name: section[each.name] for each in fields(Limits)}))

    @property
    def metrics(self) -> list[str]:
        """The names of what is measured."""
        latency = [] if self.maximum_latency_seconds is None else [LATENCY]
        return [RESTARTS, ERROR_RATE, *latency, *([GOLDEN] if self.golden_rows else [])]

    def error_rate(self, traffic: Mapping[str, Traffic]) -> Measurement:
        """From what users got in an interval, by pod."""
        whole, limit = total(traffic.values()), self.maximum_error_rate
        if too_few := self._too_few(ERROR_RATE, whole, limit):
            return too_few
        rate = whole.failed / whole.requests
        pod = max(traffic, key=lambda name: traffic[name].failed)
        message = f"{percent(rate)} of {whole.requests:.0f} answers failed, allowed {percent(limit)}"
        if whole.failed:
            message += f"; most at {pod}: {_statuses(traffic[pod])} of {traffic[pod].requests:.0f}"
        outcome = "Failed" if rate > limit else "Successful"
        return Measurement(ERROR_RATE, outcome, message, rate, limit, pod if whole.failed else None)  # type: ignore[arg-type]

    def latency(self, traffic: Mapping[str, Traffic]) -> Measurement:
        """The 99th percentile of the seconds that answers took in an interval; by pod."""
        whole, limit = total(traffic.values()), self.maximum_latency_seconds or 0
        found = quantile(0.99, whole.below)
        if (too_few := self._too_few(LATENCY, whole, limit)) or found is None:
            return too_few or Measurement(LATENCY, "Inconclusive", "no latency was counted", limit=limit)
        last = max(bound for bound in whole.below if math.isfinite(bound))
        pod = max(traffic, key=lambda name: quantile(0.99, traffic[name].below) or 0)
        text = f"{found:.4g} s" if math.isfinite(found) else f"more than {last:g} s"
        message = f"{text} over {whole.requests:.0f} answers, allowed {limit:g} s; slowest at {pod}"
        if math.isinf(
            found
        ):  # above all bounds the server counts nothing: there a higher limit cannot be told from exceeded
            return Measurement(LATENCY, "Failed" if limit < last else "Inconclusive", message, None, limit, pod)
        return Measurement(LATENCY, "Failed" if found > limit else "Successful", message, found, limit, pod)

    def _too_few(self, metric: str, whole: Traffic, limit: float) -> Measurement | None:
        if whole.requests < self.minimum_requests:
            message = f"{whole.requests:.0f} requests in this interval, at least {self.minimum_requests} say something"
            return Measurement(metric, "Inconclusive", message, limit=limit)
        if not whole.requests:
            return Measurement(metric, "Successful", "no requests in this interval", limit=limit)
        return None


def restarts(counts: Mapping[str, int], ended: Mapping[str, str]) -> Measurement:
    """From how often each pod's container began anew in an interval, and how it ended."""
    pod = max(counts, key=lambda name: counts[name], default=None)
    if pod is None or not counts[pod]:
        return Measurement(RESTARTS, "Successful", f"none of {number_of_pods(len(counts))}", 0, 0)
    why = f" ({ended[pod]})" if ended.get(pod) else ""
    times = "once" if counts[pod] == 1 else f"{counts[pod]} times"
    return Measurement(RESTARTS, "Failed", f"{pod} restarted {times}{why}", sum(counts.values()), 0, pod)


def percent(share: float) -> str:
    """``1.25 %``."""
    return f"{100 * share:.3g} %"


def _statuses(traffic: Traffic) -> str:
    """``3 with status 500, 1 with status 503``."""
    failed = {
        status: n for status, n in sorted(traffic.answers.items()) if n and status.isdigit() and int(status) >= 500
    }
    return ", ".join(f"{count:.0f} with status {status}" for status, count in failed.items())
