"""What the gate and the ledger pass around: a comparison, a decision, a release, the champion."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal[
    "first release",  # nobody serves yet
    "better",  # the whole confidence interval of the difference lies above zero
    "not worse",  # the interval reaches zero
    "worse",  # the whole interval lies below zero
    "below minimum",  # the absolute bound of the model file
    "not comparable",  # the champion cannot score these rows: other features or another target
    "too old",  # the champion has seen a newer partition: a backtest
    "in service",  # this very model is the champion
]


class Value(BaseModel):
    """Base of the records: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Interval(Value):
    """An estimate with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


class Champion(Value):
    """`champion.json`: which release is in service. Moves only by compare-and-swap."""

    release: int
    model_id: str
    partition: str


class Comparison(Value):
    """Candidate and champion on the same holdout rows of the candidate's dataset.

    `difference` is candidate minus champion, signed so that positive means the candidate is better also for
    errors such as rmse; a paired bootstrap gives its interval. `champion` is None when nobody was in service, and
    `difference` is None then, or when the two cannot be compared (`obstacle` says why).
    """

    metric: str
    candidate: Interval
    higher_is_better: bool
    rows: int
    champion: Champion | None = None
    champion_score: Interval | None = None
    difference: Interval | None = None
    obstacle: str | None = None


class Decision(Value):
    """One verdict of the gate, with all it rests on; the ledger keeps every one."""

    model: str
    partition: str
    run_id: str
    dataset_id: str
    model_id: str
    bundle_digest: str
    outcome: Outcome
    deploy: bool
    reason: str
    comparison: Comparison

    def headline(self) -> str:
        """One line for the log: the verdict, the numbers, the champion it was measured against."""
        champion = self.comparison.champion
        against = f"release {champion.release} ({champion.partition})" if champion else "no champion"
        verdict = "deploy" if self.deploy else "do not deploy"
        return f"{self.outcome}: {verdict}; {self.partition} against {against}: {self.reason}"


class Release(Value):
    """One immutable record of the ledger: all that was in service under this number."""

    number: int
    model: str
    partition: str
    dataset_id: str
    model_id: str
    bundle_digest: str
    image: str | None = None
    targets: tuple[dict[str, Any], ...] = ()
    rules: tuple[dict[str, Any], ...] = ()
    certificate: dict[str, Any] | None = None
    verification: tuple[dict[str, Any], ...] = ()
    outcome: Outcome
    approver: str | None = None
    reason: str | None = None
    run_id: str
    previous: int | None = None
    created: str
