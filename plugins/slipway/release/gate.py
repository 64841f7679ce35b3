"""The gate: may this candidate take the champion's place? A pure function of what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from slipway.core.model_file import Gate
from slipway.core.partition import is_older
from slipway.core.release import Comparison, Outcome

DeployChoice = Literal["never", "newer", "force"]


@dataclass(frozen=True)
class Verdict:
    """`outcome` says how the candidate compares, `deploy` what follows from it, `reason` both in one sentence."""

    outcome: Outcome
    deploy: bool
    reason: str


def decide(gate: Gate, comparison: Comparison, *, partition: str, model_id: str, choice: DeployChoice) -> Verdict:
    """Decide whether the candidate may be deployed.

    The rule is non-inferiority on paired rows: the candidate is `better` when the whole 95 % interval of the paired
    difference lies above zero, `worse` when it lies below, else `not worse`. The absolute minimum comes first, the
    age of the partition before that, because no score makes an older partition newer.

    Args:
        gate: the model file's section.
        comparison: candidate against champion on the same rows.
        partition: the candidate's partition.
        model_id: the candidate's model id.
        choice: `never` only measures, `newer` follows the rules, `force` deploys whatever was measured.
    """
    outcome, allowed, reason = _assess(gate, comparison, partition, model_id)
    if choice == "never":
        return Verdict(outcome, False, f"{reason}; this run was told never to deploy")
    if choice == "force" and not allowed:
        return Verdict(outcome, True, f"{reason}; deployed all the same, because this run was told to force it")
    return Verdict(outcome, allowed, reason)


def _assess(gate: Gate, comparison: Comparison, partition: str, model_id: str) -> tuple[Outcome, bool, str]:
    champion = comparison.champion
    if champion and champion.model_id == model_id:
        return "in service", True, f"this very model is release {champion.release}"
    if champion and is_older(partition, champion.partition):
        return "too old", False, f"a backtest: the champion has seen {champion.partition}"
    if _misses_minimum(gate, comparison):
        bound = "minimum" if comparison.higher_is_better else "maximum"
        return "below minimum", False, f"{comparison.metric} {comparison.candidate}, {bound} {gate.minimum:g}"
    if champion is None:
        return "first release", True, f"{comparison.metric} {comparison.candidate}"
    return _against_champion(gate, comparison)


def _against_champion(gate: Gate, comparison: Comparison) -> tuple[Outcome, bool, str]:
    difference = comparison.difference
    if difference is None:
        return "not comparable", gate.champion == "ignore", comparison.obstacle or "the champion could not be scored"
    sentence = f"{comparison.metric} difference {difference} on {comparison.rows} rows"
    if difference.low > 0:
        return "better", True, sentence
    if difference.high < 0:
        return "worse", gate.champion == "ignore", sentence
    return "not worse", gate.champion != "better", sentence


def _misses_minimum(gate: Gate, comparison: Comparison) -> bool:
    if gate.minimum is None:
        return False
    score = comparison.candidate.value
    return score < gate.minimum if comparison.higher_is_better else score > gate.minimum
