"""The model in service, asked to score the rows of a candidate's holdout."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from slipway.core.bundle import Metadata
from slipway.core.errors import AbsentError
from slipway.storage.object_store import ObjectStore
from slipway.training.bundle_files import fetch_bundle, model_key
from slipway.training.metrics import Metric
from slipway.training.samples import Samples
from slipway.training.scorer import Scores, check_bundle, open_model


class Answer(NamedTuple):
    """The champion's scores, or what stands in the way, in words that follow ``release 3``."""

    scores: Scores | None = None
    obstacle: str | None = None


def score_with_champion(
    model_id: str, digest: str, rows: Samples, candidate: Metadata, metric: Metric, store: ObjectStore, folder: Path
) -> Answer:
    """The champion's answers to `rows`, which are laid out as the candidate's features.

    Raises:
        RejectedError: its files are not the ones that its digest names; nothing of them was loaded.
    """
    try:
        fetch_bundle(store, model_key(model_id), folder)
    except AbsentError:
        return Answer(obstacle="is no longer in the store")
    champion = check_bundle(folder, digest)
    if obstacle := find_obstacle(champion, candidate):
        return Answer(obstacle=obstacle)
    try:
        scorer = open_model(folder, champion.runtime, champion.features, champion.task)
        scores = scorer.score(rows.select(candidate.features, champion.features))
    # What an old pickle or graph raises under newer libraries is anybody's guess; it must not block the candidate's run.
    except Exception as error:
        why = " ".join(str(error).split())[:150]
        return Answer(obstacle=f"cannot be run with the libraries installed now ({type(error).__name__}: {why})")
    if metric.needs_probabilities and scores.probabilities is None:
        return Answer(obstacle=f"gives no probabilities, which {metric.name} needs")
    return Answer(scores)


def find_obstacle(champion: Metadata, candidate: Metadata) -> str | None:
    """Why the champion cannot score the candidate's rows, or None. A feature more in the dataset is no obstacle."""
    if champion.target != candidate.target:
        return f"predicts another target: {champion.target!r}, not {candidate.target!r}"
    if champion.task != candidate.task:
        return f"does {champion.task}, not {candidate.task}"
    if champion.classes != candidate.classes:
        return f"knows other classes: {_listed(champion.classes or ())}; this dataset has {_listed(candidate.classes or ())}"
    kinds = {feature.name: feature.is_numeric for feature in candidate.features}
    if missing := [feature.name for feature in champion.features if feature.name not in kinds]:
        return f"needs features that this dataset lacks: {_listed(missing)}"
    if other := [feature.name for feature in champion.features if feature.is_numeric != kinds[feature.name]]:
        return f"takes as a number what is a category in this dataset, or the other way round: {_listed(other)}"
    return None


def _listed(values: Iterable[object]) -> str:
    names = [repr(value) for value in values]
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
