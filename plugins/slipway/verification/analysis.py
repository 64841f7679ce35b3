"""Is the new version good? Measurements become a verdict, with the semantics of an AnalysisRun of Argo Rollouts. Pure.

Source: Argo Rollouts, "Analysis & Progressive Delivery" (`count`, `failureLimit`, `inconclusiveLimit`,
`consecutiveErrorLimit`) and `assessMetricStatus` in its analysis/analysis.go:

- A metric is Failed once more than `failure_limit` measurements failed, Inconclusive once more than `inconclusive_limit` were
  inconclusive, Error once more than `error_limit` in a row could not be made; it stays what it then is.
- Otherwise it is Successful after `count` measurements. One that could not be made (Error) is no measurement: it is made again.
- A metric that is Failed, Error or Inconclusive ends the run at once; metrics that were still being measured do not count.
- The run's phase is its worst metric's, from good to bad: Successful, Running, Inconclusive, Error, Failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Outcome = Literal["Successful", "Failed", "Inconclusive", "Error"]
Phase = Literal["Running", "Successful", "Inconclusive", "Error", "Failed"]

_FROM_GOOD_TO_BAD: tuple[Phase, ...] = ("Successful", "Running", "Inconclusive", "Error", "Failed")
_ENDS: frozenset[Phase] = frozenset({"Inconclusive", "Error", "Failed"})


@dataclass(frozen=True)
class Limits:
    """When a metric is decided.

    Attributes:
        count: measurements after which a metric is Successful.
        failure_limit: this many may fail.
        inconclusive_limit: this many may be inconclusive.
        error_limit: this many in a row may go wrong.
    """

    count: int = 4
    failure_limit: int = 0
    inconclusive_limit: int = 0
    error_limit: int = 4


@dataclass(frozen=True)
class Measurement:
    """One look at one metric.

    Attributes:
        metric: its name.
        outcome: what it says about the version; Error: nothing, it could not be made.
        message: in words, for the log.
        value, limit: what was measured and what is allowed, in the metric's unit; None where there is no such number.
        pod: the pod that it was seen at, or worst at.
        number: the metric's how manieth, from 1.
    """

    metric: str
    outcome: Outcome
    message: str
    value: float | None = None
    limit: float | None = None
    pod: str | None = None
    number: int = 0

    def as_xcom(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True)
class MetricState:
    """What the measurements of one metric add up to so far."""

    counted: int = 0
    failed: int = 0
    inconclusive: int = 0
    errors_in_a_row: int = 0
    phase: Phase = "Running"

    def after(self, outcome: Outcome, limits: Limits) -> MetricState:
        """The state with one more measurement; a decided metric stays as it is."""
        if self.phase != "Running":
            return self
        state = replace(
            self,
            counted=self.counted + (outcome != "Error"),
            failed=self.failed + (outcome == "Failed"),
            inconclusive=self.inconclusive + (outcome == "Inconclusive"),
            errors_in_a_row=self.errors_in_a_row + 1 if outcome == "Error" else 0,
        )
        return replace(state, phase=_phase(state, limits))


def _phase(state: MetricState, limits: Limits) -> Phase:
    if state.failed > limits.failure_limit:
        return "Failed"
    if state.inconclusive > limits.inconclusive_limit:
        return "Inconclusive"
    if state.errors_in_a_row > limits.error_limit:
        return "Error"
    return "Successful" if state.counted >= limits.count else "Running"


def assess_metric(outcomes: Iterable[Outcome], limits: Limits) -> Phase:
    """The phase of one metric, from its measurements in the order in which they were made."""
    state = MetricState()
    for outcome in outcomes:
        state = state.after(outcome, limits)
    return state.phase


def assess(outcomes_by_metric: Mapping[str, Iterable[Outcome]], limits: Limits) -> Phase:
    """The phase of a run, from the measurements of each of its metrics; a metric without any is named, too."""
    return worst([assess_metric(outcomes, limits) for outcomes in outcomes_by_metric.values()])


def worst(phases: Iterable[Phase]) -> Phase:
    """The phase of a run whose metrics have these; Running if there is no metric."""
    return max(phases, key=_FROM_GOOD_TO_BAD.index, default="Running")


class AnalysisRun:
    """The measurements of one run, in the order in which they were made.

    Args:
        metrics: the names of what is measured.
        limits: the same for all of them.
    """

    def __init__(self, metrics: Iterable[str], limits: Limits) -> None:
        self.limits, self.measurements = limits, list[Measurement]()
        self._states = {name: MetricState() for name in metrics}

    def add(self, measurement: Measurement) -> Measurement:
        """Take note of it; returns it with its number."""
        name = measurement.metric
        numbered = replace(measurement, number=sum(each.metric == name for each in self.measurements) + 1)
        self.measurements.append(numbered)
        self._states[name] = self._states[name].after(measurement.outcome, self.limits)
        return numbered

    @property
    def phase(self) -> Phase:
        """The worst of the metrics'."""
        return worst(state.phase for state in self._states.values())

    @property
    def undecided(self) -> list[str]:
        """The metrics that are still to be measured; none once the run has ended."""
        if self.phase in _ENDS:
            return []
        return [name for name, state in self._states.items() if state.phase == "Running"]

    @property
    def deciding(self) -> Measurement | None:
        """The last measurement of the worst metric: what a person should look at first; None before the first."""
        names = {name for name, state in self._states.items() if state.phase == self.phase}
        return next((each for each in reversed(self.measurements) if each.metric in names), None)
