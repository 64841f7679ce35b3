"""The work of the second stage: measure what the runtime that serves answered to the holdout, explain, write the bundle.

Where ONNX serves, neither scikit-learn nor pandas is loaded.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from slipway.core.bundle import (
    GOLDEN,
    MANIFEST,
    METADATA,
    REPORT,
    Manifest,
    Metadata,
    bundle_digest,
    record_bytes,
)
from slipway.core.errors import AbsentError
from slipway.core.identity import sha256_hex, short
from slipway.core.release import Interval
from slipway.storage.object_store import ObjectStore
from slipway.training.bundle_files import (
    FIT,
    Bundle,
    check_sha256,
    fetch_files,
    file_entry,
    holdout_key,
    model_key,
    scores_key,
)
from slipway.training.fit_record import FitRecord
from slipway.training.golden import make_golden
from slipway.training.importance import measure_importance
from slipway.training.job import TrainingJob
from slipway.training.metrics import measure
from slipway.training.outcome import Outcome
from slipway.training.report import Evaluation, render_report
from slipway.training.samples import Samples, unpack_holdout
from slipway.training.scorer import Scorer, Scores, open_model, pack_scores, unpack_scores

log = logging.getLogger(__name__)


def complete_bundle(job: TrainingJob, fit: dict[str, Any], store: ObjectStore, folder: Path) -> Bundle:
    """Measure the model that `fit` describes and store the rest of its bundle, the manifest last.

    Raises:
        AbsentError, RejectedError: a file is missing, or is not the one that `train` wrote.
    """
    prefix = model_key(fit["model_id"])
    if FIT not in fit["files"]:
        raise AbsentError(
            "could not evaluate the model",
            on=short(fit["model_id"]),
            why=f"its bundle was complete when train_model looked, and has no {MANIFEST} now",
            fix="Clear train_model.",
        )
    fetch_files(store, prefix, fit["files"], folder)
    record = FitRecord.model_validate_json((folder / FIT).read_bytes())
    packed = store.read(holdout_key(record.model_id))
    check_sha256("holdout.npz", sha256_hex(packed), record.holdout_sha256)
    samples, truth = unpack_holdout(packed)
    scorer = open_model(folder, record.runtime, record.features, record.task)
    scores = _scores(scorer, samples, record, store)
    outcome = Outcome.of(truth, scores, len(record.classes or ()))

    metrics = measure(outcome, record.task, job.train.seed)
    log.info("measured on %d holdout rows: %s", len(outcome), ", ".join(f"{k} {v}" for k, v in metrics.items()))
    importances = measure_importance(scorer, samples, truth, record.features, outcome.class_count, job.train.seed)
    golden = make_golden(samples, truth, scores, scorer, record.features, record.classes)
    metadata = _metadata(job, record, metrics)
    evaluation = Evaluation(job, record, metadata, outcome, importances)
    contents = {
        GOLDEN: record_bytes(golden),
        METADATA: record_bytes(metadata),
        REPORT: render_report(evaluation).encode(),
    }
    return Bundle(_store(contents, record, store, prefix, folder), metadata)


def _scores(scorer: Scorer, samples: Samples, record: FitRecord, store: ObjectStore) -> Scores:
    """What `train` found; scored again if another run wrote there since: forests add their trees in any order."""
    stored = store.find(scores_key(record.model_id))
    if stored is not None and sha256_hex(stored.data) == record.scores_sha256:
        return unpack_scores(stored.data)
    scores = scorer.score(samples)
    store.write(scores_key(record.model_id), pack_scores(scores))
    return scores


def _metadata(job: TrainingJob, record: FitRecord, metrics: dict[str, Interval]) -> Metadata:
    same = {name: getattr(record, name) for name in Metadata.model_fields if name in FitRecord.model_fields}
    return Metadata(model=job.model, metrics=metrics, **same)


def _store(contents: dict[str, bytes], record: FitRecord, store: ObjectStore, prefix: str, folder: Path) -> str:
    """Write the files, then the manifest over all; returns its digest."""
    files = dict(record.files)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
        store.write(prefix + name, data)
        files[name] = file_entry(folder / name)
    manifest = record_bytes(Manifest(files=files))
    store.write(prefix + MANIFEST, manifest)
    return bundle_digest(manifest)
