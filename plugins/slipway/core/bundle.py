"""The bundle: the folder that training hands to serving. What its three JSON files hold, and its digest.

manifest.json    SHA-256 and size of every other file; its own digest is the bundle's
metadata.json    what a server must know to answer
model.onnx       what serving runs, when the whole pipeline converts and agrees
model.joblib     the fitted scikit-learn pipeline
golden.json      rows and the answers a server must give to them
report.html      for people
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Strict

from slipway.core.column import Column, ColumnType
from slipway.core.identity import sha256_hex
from slipway.core.release import Interval

MANIFEST = "manifest.json"
METADATA = "metadata.json"
ONNX_MODEL = "model.onnx"
JOBLIB_MODEL = "model.joblib"
GOLDEN = "golden.json"
REPORT = "report.html"

Task = Literal["classification", "regression"]
Runtime = Literal["onnx", "joblib"]
# Strict, so that a class true stays true and 1 stays 1.
JsonValue = Annotated[bool, Strict()] | Annotated[int, Strict()] | Annotated[float, Strict()] | Annotated[str, Strict()]


class BundlePart(BaseModel):
    """Base of what stands in a bundle: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(BundlePart):
    """One file of the bundle."""

    sha256: str
    size_bytes: int


class Manifest(BundlePart):
    """`manifest.json`; a bundle without one does not exist."""

    files: dict[str, FileEntry]


class Feature(BundlePart):
    """One input of the model; its place in `Metadata.features` is its place in a positional row."""

    name: str
    type: ColumnType
    nullable: bool
    categories: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None

    @classmethod
    def of(cls, column: Column) -> Feature:
        """The feature that a dataset's column becomes."""
        return cls(**column.model_dump())

    @property
    def is_numeric(self) -> bool:
        """Whether it goes into the tensor `numbers`; else it goes into `categories`."""
        return self.type != "category"


class Metadata(BundlePart):
    """`metadata.json`. `classes` are in the order of the codes and of the probabilities; None for regression."""

    schema_version: Literal[1] = 1
    model: str
    model_id: str
    dataset_id: str
    task: Task
    target: str
    features: tuple[Feature, ...]
    classes: tuple[JsonValue, ...] | None
    runtime: Runtime
    runtime_reason: str
    metrics: dict[str, Interval]
    versions: dict[str, str]
    created: str


class Golden(BundlePart):
    """`golden.json`: rows as a client would send them, and the answers of the runtime that serves.

    A server's number may differ from a prediction or probability p by `absolute_tolerance + relative_tolerance * |p|`.
    """

    features: tuple[str, ...]
    rows: tuple[tuple[JsonValue | None, ...], ...]
    predictions: tuple[JsonValue, ...]
    probabilities: tuple[tuple[float, ...], ...] | None
    absolute_tolerance: float = 1e-5
    relative_tolerance: float = 1e-4


def record_bytes(record: BaseModel) -> bytes:
    """A record as it stands in a bundle: sorted keys, indented, UTF-8, a newline at the end."""
    value: Any = record.model_dump(mode="json")
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def bundle_digest(manifest: bytes) -> str:
    """The bundle's digest, ``sha256:`` and 64 hex digits, from the bytes of its `manifest.json`."""
    return f"sha256:{sha256_hex(manifest)}"
