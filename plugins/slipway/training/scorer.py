"""A model that answers: the ONNX graph or the scikit-learn pipeline of a bundle, behind one method.

Importing this module loads neither scikit-learn, pandas nor onnxruntime; each loads what it runs on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from slipway.core.bundle import (
    JOBLIB_MODEL,
    MANIFEST,
    METADATA,
    ONNX_MODEL,
    Feature,
    Manifest,
    Metadata,
    Runtime,
    Task,
    bundle_digest,
)
from slipway.training.bundle_files import check_file, check_sha256
from slipway.training.samples import Samples, frame_of, pack_arrays, unpack_arrays

_BATCH_ROWS = 20_000  # one-hot columns are dense inside a graph; batches keep them out of memory's way


@dataclass(frozen=True)
class Scores:
    """Answers for N rows: class codes (int64) or numbers (float64) [N], and probabilities [N, C] where there are any."""

    predicted: npt.NDArray[Any]
    probabilities: npt.NDArray[Any] | None


def pack_scores(scores: Scores) -> bytes:
    """Scores as an ``.npz``; the same scores give the same bytes."""
    arrays = {"predicted": scores.predicted}
    if scores.probabilities is not None:
        arrays["probabilities"] = scores.probabilities
    return pack_arrays(**arrays)


def unpack_scores(data: bytes) -> Scores:
    """What `pack_scores` packed."""
    arrays = unpack_arrays(data)
    return Scores(arrays["predicted"], arrays.get("probabilities"))


class Scorer(Protocol):
    """A loaded model."""

    def score(self, samples: Samples) -> Scores:
        """The model's answers to the rows, in their order."""


class OnnxScorer:
    """Runs a graph with the inputs `numbers` and `categories`, each present only where there are such features."""

    def __init__(self, graph: bytes, task: Task) -> None:
        # ONNX Runtime reports usage to its maker by default; read at its import.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._outputs = [node.name for node in self._session.get_outputs()]
        self._task = task

    def score(self, samples: Samples) -> Scores:
        """See `Scorer`."""
        parts = [self._run(batch) for batch in samples.batches(_BATCH_ROWS)]
        found = {name: np.concatenate([part[name] for part in parts]) for name in self._outputs}
        if self._task == "regression":
            return Scores(found["prediction"].astype(np.float64).ravel(), None)
        return Scores(found["label"].ravel(), found.get("probabilities"))

    def _run(self, samples: Samples) -> dict[str, npt.NDArray[Any]]:
        feed = {"numbers": samples.numbers, "categories": samples.categories}
        found = self._session.run(self._outputs, {name: feed[name] for name in self._inputs})
        return dict(zip(self._outputs, found, strict=True))


class PipelineScorer:
    """Runs a fitted scikit-learn pipeline."""

    def __init__(self, pipeline: Any, features: Sequence[Feature], task: Task) -> None:
        self._pipeline, self._features, self._task = pipeline, features, task

    def score(self, samples: Samples) -> Scores:
        """See `Scorer`."""
        rows = frame_of(samples, self._features)
        if len(self._pipeline) > 1:  # once for labels and probabilities
            rows = self._pipeline[:-1].transform(rows)
        estimator = self._pipeline[-1]
        predicted = np.asarray(estimator.predict(rows)).ravel()
        if self._task == "regression":
            return Scores(predicted.astype(np.float64), None)
        has_probabilities = hasattr(estimator, "predict_proba")
        return Scores(predicted.astype(np.int64), estimator.predict_proba(rows) if has_probabilities else None)


def open_model(folder: Path, runtime: Runtime, features: Sequence[Feature], task: Task) -> Scorer:
    """Load the model file of `runtime` in `folder`, whose digest the caller has checked: joblib files can run code."""
    if runtime == "onnx":
        return OnnxScorer((folder / ONNX_MODEL).read_bytes(), task)
    import joblib

    return PipelineScorer(joblib.load(folder / JOBLIB_MODEL), features, task)


def check_bundle(folder: Path, digest: str) -> Metadata:
    """Check every file of a bundle that is in `folder`; other files of the bundle may be absent.

    Args:
        folder: holds `manifest.json`, `metadata.json` and the model file.
        digest: ``sha256:...`` of the manifest, known by another way.

    Raises:
        RejectedError: the manifest has another digest, or a file another SHA-256, or the manifest does not name it.
    """
    data = (folder / MANIFEST).read_bytes()
    check_sha256(MANIFEST, bundle_digest(data), digest)
    manifest = Manifest.model_validate_json(data)
    for path in sorted(folder.iterdir()):
        if path.name != MANIFEST:
            entry = manifest.files.get(path.name)
            check_file(path, entry.sha256 if entry else "none: the manifest does not name it")
    return Metadata.model_validate_json((folder / METADATA).read_bytes())


def open_bundle(folder: Path, digest: str) -> tuple[Scorer, Metadata]:
    """Check a bundle as `check_bundle` does, then load its model; nothing is unpickled before."""
    metadata = check_bundle(folder, digest)
    return open_model(folder, metadata.runtime, metadata.features, metadata.task), metadata
