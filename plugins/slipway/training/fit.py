"""The work of the first stage, with scikit-learn: read, split, fit, export, store."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import pandas as pd

from slipway.core.bundle import JOBLIB_MODEL, ONNX_MODEL, Feature, FileEntry, Task
from slipway.core.errors import ConfigurationError
from slipway.core.identity import sha256_hex
from slipway.storage.object_store import ObjectStore
from slipway.table.frame import read_frame
from slipway.training.bundle_files import check_file, file_entry, holdout_key, model_key, scores_key
from slipway.training.column_summary import summarise
from slipway.training.estimator import build_estimator
from slipway.training.export import Export, export_pipeline
from slipway.training.fit_record import FitRecord
from slipway.training.identity import library_versions
from slipway.training.job import TrainingJob
from slipway.training.metrics import get_metric
from slipway.training.preprocessing import build_pipeline
from slipway.training.samples import pack_holdout, samples_of
from slipway.training.scorer import pack_scores
from slipway.training.split import Split, split_rows
from slipway.training.target import Target, encode_target

log = logging.getLogger(__name__)


class Rows(NamedTuple):
    """The dataset in memory: features, labels as in the file, labels as the estimator takes them, and the split."""

    frame: pd.DataFrame
    labels: pd.Series[Any]
    target: Target
    split: Split


def fit_model(job: TrainingJob, model_id: str, store: ObjectStore, folder: Path) -> FitRecord:
    """Fit, and store the holdout rows, the answers to them and the model files; the caller stores the record, last.

    Raises:
        ConfigurationError: estimator, parameters, preprocessing or the gate's metric are wrong.
        RejectedError: the dataset's file changed, or its rows cannot be split.
    """
    seconds: dict[str, float] = {}
    estimator, task = build_estimator(job.train)
    _check_gate(job, estimator, task)
    pipeline = build_pipeline(job.dataset.table_schema, estimator, job.train.preprocessing)
    with _timed(seconds, "read"):
        rows = _read(job, task, store, folder)
        _check_gate(job, estimator, task, class_count=len(rows.target.classes or ()) or None)
    with _timed(seconds, "fit"):
        fit_pipeline(pipeline, rows.frame.iloc[rows.split.training], rows.target.values[rows.split.training])
    with _timed(seconds, "export"):
        features = tuple(Feature.of(column) for column in job.dataset.table_schema.features)
        holdout = samples_of(rows.frame.iloc[rows.split.holdout], features)
        export = export_pipeline(pipeline, features, task, holdout)
        packed = pack_holdout(holdout, rows.target.values[rows.split.holdout])
        answers = pack_scores(export.scores)
        store.write(holdout_key(model_id), packed)
        store.write(scores_key(model_id), answers)
        files = _upload(pipeline, export, store, model_key(model_id), folder)
    return FitRecord(
        model_id=model_id,
        dataset_id=job.dataset.id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        task=task,
        target=job.dataset.table_schema.target.name,
        features=features,
        classes=rows.target.classes,
        runtime=export.runtime,
        runtime_reason=export.reason,
        estimator=" ".join(repr(estimator).split())[:500],
        training_rows=len(rows.split.training),
        holdout_rows=len(rows.split.holdout),
        holdout_sha256=sha256_hex(packed),
        scores_sha256=sha256_hex(answers),
        seconds=seconds,
        versions=library_versions(),
        files=files,
        columns=summarise(rows.frame, rows.labels, job.dataset.table_schema),
    )


def fit_pipeline(pipeline: Any, frame: pd.DataFrame, target: Any) -> None:
    """Fit `pipeline` in place. Raises ConfigurationError when scikit-learn refuses the parameters or the columns."""
    name = type(pipeline.steps[-1][1]).__name__
    log.info("fitting %s on %d rows of %d features", name, len(frame), frame.shape[1])
    try:
        pipeline.fit(frame, target)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            "could not fit the estimator",
            on=name,
            why=" ".join(str(error).split())[:400],
            fix="Correct train.params or train.preprocessing in the model file, or choose another estimator.",
        ) from error


def _check_gate(job: TrainingJob, estimator: Any, task: Task, class_count: int | None = None) -> None:
    has_probabilities = hasattr(estimator, "predict_proba")
    get_metric(job.gate.metric, task, has_probabilities=has_probabilities, class_count=class_count)


def _read(job: TrainingJob, task: Task, store: ObjectStore, folder: Path) -> Rows:
    path = folder / Path(job.dataset.key).name
    store.download(job.dataset.key, path)
    check_file(path, job.dataset.file_sha256, fix="Run the dataset's task again, from the source.")
    frame, labels = read_frame(path, job.dataset.table_schema)
    path.unlink()
    column = job.dataset.table_schema.target
    target = encode_target(labels.to_numpy(), column, task)
    split = split_rows(target, job.train.holdout, job.train.seed, column.name)
    log.info("read %d rows: %d to learn from, %d held out", len(frame), len(split.training), len(split.holdout))
    return Rows(frame, labels, target, split)


def _upload(pipeline: Any, export: Export, store: ObjectStore, prefix: str, folder: Path) -> dict[str, FileEntry]:
    joblib.dump(pipeline, folder / JOBLIB_MODEL)
    names = [JOBLIB_MODEL]
    if export.graph is not None:
        (folder / ONNX_MODEL).write_bytes(export.graph)
        names.append(ONNX_MODEL)
    for name in names:
        store.upload(prefix + name, folder / name)
    return {name: file_entry(folder / name) for name in names}


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - started, 3)
    log.info("%s: %.1f s", step, seconds[step])
