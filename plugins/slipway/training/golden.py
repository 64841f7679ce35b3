"""Golden rows: what a client could send, and what the serving model must answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slipway.core.bundle import Feature, Golden, JsonValue, Task
from slipway.training.samples import Samples, layout
from slipway.training.scorer import Scorer, Scores

GOLDEN_ROWS = 20
_CLEAR_MARGIN = 1e-3


def make_golden(
    samples: Samples,
    truth: npt.NDArray[Any],
    scores: Scores,
    scorer: Scorer,
    features: Sequence[Feature],
    classes: Sequence[JsonValue] | None,
) -> Golden:
    """Up to 20 holdout rows: one of every class if they fit, else spread over the target, and the scorer's answers to them.

    Rows whose two best classes are all but equal are left out: the last bit would decide the answer.
    """
    chosen = _choose(samples, truth, scores, features, "classification" if classes else "regression")
    rows = samples.take(chosen)
    answers = scorer.score(rows)
    probabilities = None if answers.probabilities is None else answers.probabilities.tolist()
    predictions = [classes[code] for code in answers.predicted] if classes else answers.predicted.tolist()
    return Golden(
        features=tuple(feature.name for feature in features),
        rows=tuple(tuple(row) for row in json_rows(rows, features)),
        predictions=tuple(predictions),
        probabilities=None if probabilities is None else tuple(tuple(row) for row in probabilities),
    )


def json_rows(samples: Samples, features: Sequence[Feature]) -> list[list[JsonValue | None]]:
    """Rows as JSON values in feature order; a number is the shortest one that is the same float32."""
    numeric, text = layout(features)
    return [
        [
            _json_number(samples.numbers[row, numeric.index(feature.name)], feature.type)
            if feature.is_numeric
            else samples.categories[row, text.index(feature.name)] or None
            for feature in features
        ]
        for row in range(len(samples))
    ]


def _json_number(value: np.float32, kind: str) -> JsonValue | None:
    if math.isnan(value):
        return None
    if kind == "boolean":
        return bool(value)
    return int(value) if kind == "integer" else float(str(value))


def _choose(
    samples: Samples, truth: npt.NDArray[Any], scores: Scores, features: Sequence[Feature], task: Task
) -> npt.NDArray[Any]:
    candidates = np.flatnonzero(_is_clear(scores)) if scores.probabilities is not None else np.arange(len(truth))
    if not candidates.size:
        candidates = np.arange(len(truth))
    order = candidates[np.argsort(truth[candidates], kind="stable")]
    if task == "regression":
        places = np.unique(np.linspace(0, len(order) - 1, GOLDEN_ROWS).astype(int))
        chosen = order[places]
    else:
        chosen = _round_robin(order, truth[order])[:GOLDEN_ROWS]
    kept = [_keeps_bounds(row, features) for row in json_rows(samples.take(chosen), features)]
    rows: npt.NDArray[Any] = chosen[kept]
    return rows


def _round_robin(rows: npt.NDArray[Any], codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`rows`, which are sorted by `codes`, as: the first of every class, the second of every class, and so on."""
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    turn = np.arange(len(rows)) - np.repeat(starts, np.diff([*starts, len(rows)]))
    return rows[np.argsort(turn, kind="stable")]


def _is_clear(scores: Scores) -> npt.NDArray[np.bool_]:
    assert scores.probabilities is not None
    best = np.sort(scores.probabilities, axis=1)
    clear: npt.NDArray[np.bool_] = best[:, -1] - best[:, -2] > _CLEAR_MARGIN
    return clear


def _keeps_bounds(row: list[JsonValue | None], features: Sequence[Feature]) -> bool:
    """Whether a server accepts the row: rounding to float32 can carry a value over its own declared bound."""
    for value, feature in zip(row, features, strict=True):
        if isinstance(value, int | float) and not isinstance(value, bool):
            low, high = feature.minimum, feature.maximum
            if (low is not None and value < low) or (high is not None and value > high):
                return False
    return True
