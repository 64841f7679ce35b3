"""The second stage: measure and explain the fitted model, and complete its bundle.

Objects appear in this order, each whole or not at all: `models/<id>/golden.json`, `metadata.json`, `report.html`, and
`manifest.json` last: a bundle without one does not exist. All follow from what the first stage left, so a retry, or a second
run at the same time, writes the same bytes.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from slipway.core.bundle import REPORT
from slipway.core.identity import short
from slipway.core.release import Interval
from slipway.storage.object_store import ObjectStore
from slipway.training.bundle_files import find_bundle, model_key
from slipway.training.job import TrainingJob
from slipway.training.metrics import METRICS

log = logging.getLogger(__name__)


def evaluate(job: TrainingJob, fit: dict[str, Any], store: ObjectStore, folder: Path) -> dict[str, Any]:
    """Complete the bundle of a fitted model, unless it is complete.

    Args:
        job: as given to `train`.
        fit: what `train` returned, handed over outside the store: its SHA-256s are what the files must match.
        store: below ``<store>/<model>/``.
        folder: an empty local folder.

    Returns:
        ``{"model_id", "dataset_id", "key", "digest", "metrics": {name: value}, "report": uri, "changed", "summary"}``.

    Raises:
        RejectedError: a file is not the one that `train` wrote.
    """
    model_id: str = fit["model_id"]
    bundle = find_bundle(store, model_id)
    changed = bundle is None
    if bundle is None:
        from slipway.training.assessment import complete_bundle  # numpy, onnxruntime, matplotlib

        bundle = complete_bundle(job, fit, store, folder)
    metrics = bundle.metadata.metrics
    summary = f"{'evaluated' if changed else 'already evaluated'} model {short(model_id)}: {_headline(metrics)}"
    log.info("%s", summary)
    return {
        "model_id": model_id,
        "dataset_id": job.dataset.id,
        "key": model_key(model_id),
        "digest": bundle.digest,
        "metrics": {name: interval.value for name, interval in metrics.items()},
        "report": f"{store.uri.rstrip('/')}/{model_key(model_id)}{REPORT}",
        "changed": changed,
        "summary": summary,
    }


def _headline(metrics: dict[str, Interval]) -> str:
    """The first metric of the list, and what it came to."""
    name = next((name for name in METRICS if name in metrics), None)
    return f"{name} {metrics[name]}" if name else "no metric is defined on its holdout rows"
