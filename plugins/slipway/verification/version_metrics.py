"""What users got from the pods of one version in an interval, from two scrapes of their metrics. Pure.

Only the routes that predict count: what people and probes ask besides is no traffic of the model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from slipway.verification.prometheus_text import parse

Key = TypeVar("Key")
INFERENCE_ROUTES = frozenset({"predict", "invocations", "open_inference", "vertex"})


@dataclass(frozen=True)
class Traffic:
    """Answers of inference routes.

    Attributes:
        answers: how many by status; ``other`` is every status that the server does not count by itself.
        below: how many took no longer than so many seconds; the last bound is infinite.
    """

    answers: Mapping[str, float] = field(default_factory=dict)
    below: Mapping[float, float] = field(default_factory=dict)

    @property
    def requests(self) -> float:
        """How many answers."""
        return sum(self.answers.values())

    @property
    def failed(self) -> float:
        """How many answers with a status of 500 or above."""
        return sum(count for status, count in self.answers.items() if status.isdigit() and int(status) >= 500)

    def plus(self, other: Traffic) -> Traffic:
        """Both together."""
        return Traffic(_sums(self.answers, other.answers), _sums(self.below, other.below))


def read_traffic(text: str) -> Traffic:
    """The counts since the server's start, from what its /metrics says.

    Raises:
        ValueError: it is not what a model server says.
    """
    answers: dict[str, float] = {}
    below: dict[float, float] = {}
    for name, labels, value in parse(text):
        if labels.get("route") not in INFERENCE_ROUTES:
            continue
        if name == "slipway_requests_total":
            answers[labels["status"]] = answers.get(labels["status"], 0) + value
        elif name == "slipway_request_seconds_bucket":
            bound = float(labels["le"])
            below[bound] = below.get(bound, 0) + value
    if math.inf not in below:
        raise ValueError("it has no slipway_request_seconds")
    return Traffic(answers, below)


def increase(before: Traffic, after: Traffic) -> Traffic:
    """What came between two looks at one pod. A count that fell says that the server began anew: then all came since."""
    if _fell(before.answers, after.answers) or _fell(before.below, after.below):
        return after
    return Traffic(_differences(before.answers, after.answers), _differences(before.below, after.below))


def total(traffic: Iterable[Traffic]) -> Traffic:
    """That of several pods together."""
    added = Traffic()
    for each in traffic:
        added = added.plus(each)
    return added


def quantile(share: float, below: Mapping[float, float]) -> float | None:
    """Seconds that this share of requests did not exceed, linear within a bucket, as Prometheus' `histogram_quantile`.

    Infinite where Prometheus would give the last bound, which a limit above that bound could never see exceeded.
    None without requests.
    """
    rank = share * below.get(math.inf, 0)
    if not rank:
        return None
    lower, beneath = 0.0, 0.0
    for bound, count in sorted(below.items()):
        if count >= rank:
            return bound if math.isinf(bound) else lower + (bound - lower) * (rank - beneath) / (count - beneath)
        lower, beneath = bound, count
    return math.inf


class Window:
    """Adds up what users got between looks at pods that come, go and begin anew.

    The first round of looks is only where counting starts from. A pod that comes later is counted from its own start, one
    that went with what was seen of it.
    """

    def __init__(self) -> None:
        self.open = False
        self._seen: dict[str, Traffic] = {}
        self._traffic: dict[str, Traffic] = {}

    def observe(self, pod: str, counts: Traffic) -> None:
        """A scrape of `pod`: what came since the last one is traffic."""
        before = self._seen.get(pod, Traffic() if self.open else counts)
        self._traffic[pod] = self._traffic.get(pod, Traffic()).plus(increase(before, counts))
        self._seen[pod] = counts

    def rebase(self, pod: str, counts: Traffic) -> None:
        """A scrape of `pod` after requests of our own: what came since the last one is no traffic."""
        self._seen[pod] = counts

    def take(self) -> dict[str, Traffic] | None:
        """By pod what came since the last call, or None after the first round; to be called once all pods were observed."""
        taken, self._traffic = self._traffic, {}
        was_open, self.open = self.open, True
        return taken if was_open else None


def _fell(before: Mapping[Key, float], after: Mapping[Key, float]) -> bool:
    return any(after.get(key, 0) < count for key, count in before.items())


def _sums(one: Mapping[Key, float], other: Mapping[Key, float]) -> dict[Key, float]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in (*one, *other)}


def _differences(before: Mapping[Key, float], after: Mapping[Key, float]) -> dict[Key, float]:
    return {key: count - before.get(key, 0) for key, count in after.items()}
