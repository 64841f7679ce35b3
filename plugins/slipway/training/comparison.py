"""Candidate against champion, on the same rows: the candidate's holdout, which neither of the two was fitted on, unless both
come from one dataset with different seeds (then the champion knows some of the rows, and the comparison favours it).
"""

from __future__ import annotations

import logging
from pathlib import Path

from slipway.core.bundle import Metadata
from slipway.core.errors import AbsentError, RejectedError
from slipway.core.identity import short
from slipway.core.model_file import Gate
from slipway.core.release import Champion, Comparison
from slipway.storage.object_store import ObjectStore
from slipway.training.bundle_files import (
    FIT,
    find_bundle,
    holdout_key,
    model_key,
    scores_key,
)
from slipway.training.fit_record import FitRecord
from slipway.training.metrics import Metric, get_metric, undefined

log = logging.getLogger(__name__)

_SEED = 0  # of the paired bootstrap: both are scored on the same draws


def compare(
    gate: Gate, model_id: str, digest: str, champion: tuple[Champion, str] | None, store: ObjectStore, folder: Path
) -> Comparison:
    """The candidate's score, and with a champion of another model the paired difference.

    Args:
        gate: names the metric.
        model_id, digest: the candidate, as its evaluation returned them.
        champion: who is in service, and its bundle's digest as the ledger has it; None: nobody.
        store: below ``<store>/<model>/``.
        folder: an empty local folder.

    Raises:
        AbsentError: the candidate's bundle is not in the store.
        ConfigurationError: the gate's metric does not fit the model.
        RejectedError: the metric is undefined on the rows, or a file is not what its digest says.
    """
    candidate = _get_candidate(model_id, digest, store)
    record = FitRecord.model_validate_json(store.read(model_key(model_id) + FIT))
    metric = _metric(gate, candidate)
    if metric.name not in candidate.metrics:
        raise undefined(metric.name, record.holdout_rows)
    comparison = Comparison(
        metric=metric.name,
        candidate=candidate.metrics[metric.name],
        higher_is_better=metric.higher_is_better,
        rows=record.holdout_rows,
        champion=champion[0] if champion else None,
    )
    if champion is not None and champion[0].model_id != model_id:
        comparison = _against(champion, comparison, metric, candidate, store, folder)
    log.info("%s", _sentence(comparison, model_id))
    return comparison


def _get_candidate(model_id: str, digest: str, store: ObjectStore) -> Metadata:
    bundle = find_bundle(store, model_id)
    if bundle is None:
        raise AbsentError(
            "could not compare the model",
            on=short(model_id),
            why="its bundle is not in the store",
            fix="Clear train_model, so that it is made again.",
        )
    if bundle.digest != digest:
        raise RejectedError(
            "could not compare the model",
            on=short(model_id),
            why=f"its bundle is {bundle.digest}, and its evaluation made {digest}",
            fix="Clear evaluate_model; if that does not help, find out who wrote to the store.",
        )
    return bundle.metadata


def _metric(gate: Gate, candidate: Metadata) -> Metric:
    class_count = len(candidate.classes) if candidate.classes else None
    has_probabilities = "log_loss" in candidate.metrics
    return get_metric(gate.metric, candidate.task, has_probabilities=has_probabilities, class_count=class_count)


def _against(
    champion: tuple[Champion, str],
    comparison: Comparison,
    metric: Metric,
    candidate: Metadata,
    store: ObjectStore,
    folder: Path,
) -> Comparison:
    """`comparison` with the difference to the champion, or with what stands in the way."""
    from slipway.training.bootstrap import estimate_difference
    from slipway.training.champion import score_with_champion
    from slipway.training.outcome import Outcome
    from slipway.training.samples import unpack_holdout
    from slipway.training.scorer import unpack_scores

    (who, digest), classes = champion, len(candidate.classes or ())
    rows, truth = unpack_holdout(store.read(holdout_key(candidate.model_id)))
    own = unpack_scores(store.read(scores_key(candidate.model_id)))
    answer = score_with_champion(who.model_id, digest, rows, candidate, metric, store, folder)
    if answer.scores is None:
        return comparison.model_copy(update={"obstacle": f"release {who.release} {answer.obstacle}"})
    mine = metric.prepare(Outcome.of(truth, own, classes))
    theirs = metric.prepare(Outcome.of(truth, answer.scores, classes))
    sign = 1 if metric.higher_is_better else -1
    score, difference = estimate_difference(mine, theirs, len(truth), _SEED, classes, sign)
    if difference is None:
        return comparison.model_copy(update={"obstacle": f"release {who.release} has no {metric.name} on these rows"})
    return comparison.model_copy(update={"champion_score": score, "difference": difference})


def _sentence(comparison: Comparison, model_id: str) -> str:
    own = f"{comparison.metric} {comparison.candidate} on {comparison.rows} rows"
    champion = comparison.champion
    if champion is None:
        return f"{own}; no release is in service to compare with"
    if champion.model_id == model_id:
        return f"{own}; this very model is release {champion.release}"
    if comparison.obstacle:
        return f"{own}; not compared: {comparison.obstacle}"
    return f"{own}; release {champion.release} has {comparison.champion_score}, difference {comparison.difference}"
