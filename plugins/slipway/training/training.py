"""The first stage: fit the model and leave its files and `fit.json`; the second is `evaluation.py`.

Objects appear in this order, each whole or not at all, and the last one says that the stage is done:
`evaluations/<id>/holdout.npz` and `scores.npz`, `models/<id>/model.joblib`, `models/<id>/model.onnx`, `models/<id>/fit.json`.
A retry after a crash at any point does the same again under the same names.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway.core.bundle import FileEntry, record_bytes
from slipway.core.identity import sha256_hex, short
from slipway.storage.object_store import ObjectStore
from slipway.training.bundle_files import FIT, find_manifest, model_key
from slipway.training.fit_record import FitRecord
from slipway.training.identity import find_model_id
from slipway.training.job import TrainingJob

log = logging.getLogger(__name__)


def train(job: TrainingJob, store: ObjectStore, folder: Path) -> dict[str, Any]:
    """Fit the model, unless it has been.

    Args:
        job: what to train.
        store: below ``<store>/<model>/``.
        folder: an empty local folder for the dataset and the model.

    Returns:
        ``{"model_id", "key", "files": {name: sha256}, "changed", "summary"}``.

    Raises:
        ConfigurationError: estimator, parameters, preprocessing or the gate's metric are wrong.
        RejectedError: the dataset's file changed, or its rows cannot be split.
    """
    model_id = find_model_id(job.dataset, job.section, job.train)
    if found := find_manifest(store, model_id):
        return _result(model_id, found[0].files, f"already trained and evaluated: model {short(model_id)}")
    if stored := store.find(model_key(model_id) + FIT):
        files = FitRecord.model_validate_json(stored.data).files | {FIT: _entry(stored.data)}
        return _result(model_id, files, f"already trained: model {short(model_id)}")
    from slipway.training.fit import fit_model  # scikit-learn takes seconds to load: only now is there work for it

    record = fit_model(job, model_id, store, folder)
    data = record_bytes(record)
    store.write(model_key(model_id) + FIT, data)
    return _result(model_id, record.files | {FIT: _entry(data)}, _summary(record), changed=True)


def _summary(record: FitRecord) -> str:
    name = record.estimator.partition("(")[0]
    return (
        f"fitted {name} on {record.training_rows} rows in {record.seconds['fit']:.1f} s, {record.holdout_rows} held out; "
        f"{record.runtime} will serve it: model {short(record.model_id)}"
    )


def _result(model_id: str, files: Mapping[str, FileEntry], summary: str, *, changed: bool = False) -> dict[str, Any]:
    log.info("%s", summary)
    hashes = {name: entry.sha256 for name, entry in files.items()}
    return {"model_id": model_id, "key": model_key(model_id), "files": hashes, "changed": changed, "summary": summary}


def _entry(data: bytes) -> FileEntry:
    return FileEntry(sha256=sha256_hex(data), size_bytes=len(data))
