"""Which runtime serves the model: ONNX if the whole pipeline converts and agrees with scikit-learn, else joblib.

Tolerance: ``|onnx - sklearn| <= 1e-5 + 1e-4 * |sklearn|`` for every probability, and for regression the same with 1e-5 of the
largest prediction in place of 1e-5. ONNX computes in float32, whose steps are 6e-8 of a value; sums over some hundred
trees or features come to about 1e-6, while one row that goes another way in one tree moves an answer by 1e-3 or more.
Labels must be identical, except between classes whose probabilities are equal to within that tolerance: such a tie is broken
by the last bit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slipway.core.bundle import Feature, Runtime, Task
from slipway.training.samples import Samples
from slipway.training.scorer import OnnxScorer, PipelineScorer, Scores

log = logging.getLogger(__name__)

ABSOLUTE_TOLERANCE = 1e-5
RELATIVE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Export:
    """`graph` is None when joblib serves; `reason` says why this runtime; `scores` are its answers to the holdout rows."""

    graph: bytes | None
    runtime: Runtime
    reason: str
    scores: Scores


def export_pipeline(pipeline: Any, features: Sequence[Feature], task: Task, holdout: Samples) -> Export:
    """Convert, load the graph as a server would, and compare on every holdout row."""
    started = time.perf_counter()
    expected = PipelineScorer(pipeline, features, task).score(holdout)
    try:
        from slipway.training.onnx_graph import to_graph

        graph = to_graph(pipeline, features, task)
        found = OnnxScorer(graph, task).score(holdout)
    # Converters raise whatever they meet, from NameError to RuntimeException; any of it means: serve by joblib.
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        return _fall_back(f"the pipeline does not convert to ONNX ({why[:200]})", expected)
    difference = find_difference(expected, found)
    if difference:
        return _fall_back(f"the ONNX graph disagrees with scikit-learn: {difference}", expected)
    reason = f"the whole pipeline converts, and agrees with scikit-learn on {len(holdout)} holdout rows"
    log.info("ONNX serves: %s (%.1f s, %d bytes)", reason, time.perf_counter() - started, len(graph))
    return Export(graph, "onnx", reason, found)


def find_difference(expected: Scores, found: Scores) -> str | None:
    """What is wrong with `found`, in numbers, or None if it is `expected` within the tolerance."""
    if expected.probabilities is None and found.probabilities is None:
        return _labels_or_numbers(expected, found)
    if (
        expected.probabilities is None
        or found.probabilities is None
        or expected.probabilities.shape != found.probabilities.shape
    ):
        return "the probabilities have another shape"
    allowed = ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * np.abs(expected.probabilities)
    gap = np.abs(found.probabilities - expected.probabilities)
    # Written so that NaN is a difference.
    if rows := int((~(gap <= allowed)).any(axis=1).sum()):
        return f"probabilities of {rows} of {len(gap)} rows, by up to {np.nanmax(gap):.2g}"
    other = np.flatnonzero(expected.predicted != found.predicted)
    one, two = (expected.probabilities[other, scores.predicted[other]] for scores in (expected, found))
    rows = int((np.abs(one - two) > 2 * (ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE)).sum())
    return f"labels of {rows} of {len(gap)} rows" if rows else None


def _labels_or_numbers(expected: Scores, found: Scores) -> str | None:
    if expected.predicted.dtype == np.int64:
        rows = int((expected.predicted != found.predicted).sum())
        return f"labels of {rows} of {len(expected.predicted)} rows" if rows else None
    gap = np.abs(found.predicted - expected.predicted)
    rows = int((~(gap <= _allowed_for_numbers(expected.predicted))).sum())
    return f"predictions of {rows} of {len(gap)} rows, by up to {np.nanmax(gap):.2g}" if rows else None


def _allowed_for_numbers(expected: npt.NDArray[Any]) -> npt.NDArray[Any]:
    size = np.abs(expected)
    allowed: npt.NDArray[Any] = ABSOLUTE_TOLERANCE * size.max() + RELATIVE_TOLERANCE * size
    return allowed


def _fall_back(why: str, scores: Scores) -> Export:
    log.warning("joblib serves: %s", why)
    return Export(None, "joblib", why, scores)
