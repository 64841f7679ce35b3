"""A model's identity: the same inputs, code and libraries give the same id, and so find the model again."""

from __future__ import annotations

import math
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from slipway.core.dataset import DatasetRef
from slipway.core.identity import content_id
from slipway.core.model_file import Dataset, Train
from slipway.training.import_path import ImportPath

# Counted up whenever the same inputs would give another bundle.
TRAINING_CODE_VERSION = 3
_LIBRARIES = ("scikit-learn", "numpy", "pandas", "scipy", "joblib", "skl2onnx", "onnx", "onnxruntime")


def library_versions() -> dict[str, str]:
    """The libraries that shape a model, read from their metadata, without importing them."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _LIBRARIES}


@cache
def _version(name: str) -> str:
    return version(name)


def find_model_id(dataset: DatasetRef, section: Dataset, train: Train) -> str:
    """64 hex digits over the dataset, what the model file says about its use, and the code that will train on it.

    The gate, the targets, the pod to train in and everything else in the model file may change without a new training. A
    module of one's own counts by the SHA-256 of its source file, an installed package beside scikit-learn by its version.

    Raises:
        ConfigurationError: the estimator's or the preprocessing's module does not exist.
    """
    libraries = library_versions()
    libraries["python"] = ".".join(platform.python_version_tuple()[:2])
    return content_id(
        {
            "code": TRAINING_CODE_VERSION,
            "dataset": dataset.id,
            "schema": dataset.table_schema.model_dump(mode="json"),
            "target": section.target,
            "drop": sorted(section.drop),
            "columns": {name: rule.model_dump(mode="json") for name, rule in section.columns.items()},
            "train": _spelled(train.model_dump(exclude={"pod"})),
            "libraries": libraries,
            "sources": {path.text: _source(path) for path in _own_paths(train)},
        }
    )


def _own_paths(train: Train) -> list[ImportPath]:
    paths = [ImportPath("train.estimator", train.estimator)]
    if train.preprocessing not in {None, "none"}:
        paths.append(ImportPath("train.preprocessing", str(train.preprocessing)))
    return [path for path in paths if path.is_function or not path.module.startswith("sklearn.")]


def _source(path: ImportPath) -> dict[str, str | None]:
    package = path.module.partition(".")[0]
    try:
        installed = version(package)
    except PackageNotFoundError:
        installed = None
    return {"sha256": path.find_source_sha256(), "version": installed}


def _spelled(value: Any) -> Any:
    """`value` with what YAML can say and JSON cannot (infinity, dates) as text."""
    if isinstance(value, dict):
        return {str(key): _spelled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(item) for item in value]
    plain = value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))
    return value if plain else repr(value)
