"""`fit.json`: what the first stage, train, leaves for the second, evaluate. Its presence says that the first is done."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from slipway.core.bundle import Feature, FileEntry, JsonValue, Runtime, Task


class FitRecord(BaseModel):
    """One finished fit.

    `holdout_sha256` and `scores_sha256` are of `evaluations/<model id>/holdout.npz` and of the answers to it, `scores.npz`;
    `columns` describes the whole dataset for the report.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: str
    dataset_id: str
    created: str
    task: Task
    target: str
    features: tuple[Feature, ...]
    classes: tuple[JsonValue, ...] | None
    runtime: Runtime
    runtime_reason: str
    estimator: str
    training_rows: int
    holdout_rows: int
    holdout_sha256: str
    scores_sha256: str | None = None  # records of before had none
    seconds: dict[str, float]
    versions: dict[str, str]
    files: dict[str, FileEntry]
    columns: tuple[dict[str, Any], ...]
