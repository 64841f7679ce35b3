"""Training, evaluation and comparison as tasks."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from slipway.core.dataset import DatasetRef
from slipway.core.model_file import Gate
from slipway.release.ledger import Ledger
from slipway.storage.object_store import open_store
from slipway.training.job import TrainingJob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from slipway.core.model_file import Dataset, Train
    from slipway.storage.object_store import ObjectStore


class _TrainingOperator(BaseOperator):
    """What the three tasks share: the model's store."""

    ui_color = "#e6ecf5"

    def __init__(self, *, model: str, store: str, store_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model, self.store, self.store_conn_id = model, store, store_conn_id

    def files(self) -> ObjectStore:
        """The store, below ``<store>/<model>/``."""
        return open_store(f"{self.store.rstrip('/')}/{self.model}", self.store_conn_id)


class TrainModelOperator(_TrainingOperator):
    """Fit the estimator of the model file on the stored dataset, and export it.

    The model's id is made of the dataset's content, the model file's `dataset` and `train` sections, our training code and
    the library versions: a model that was trained before is found, and nothing is done. Before any data is read it fails
    on an estimator, a parameter, a preprocessing or a `gate.metric` that cannot work, naming what can.

    Leaves `models/<id>/model.joblib`, `model.onnx` where the pipeline converts and agrees, and `fit.json`.

    Args:
        model, store, store_conn_id: where the model's objects are.
        dataset_section, train, gate: the sections of the model file.
        dataset: what StoreDatasetOperator returned.
    """

    template_fields: Sequence[str] = ("dataset",)

    def __init__(
        self, *, dataset_section: Dataset, train: Train, dataset: Any, gate: Gate | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.dataset_section, self.train, self.gate, self.dataset = dataset_section, train, gate, dataset

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"model_id", "key", "files": {name: sha256}, "changed", "summary"}``."""
        from slipway.training.training import train

        job = TrainingJob(
            self.model, DatasetRef.model_validate(self.dataset), self.dataset_section, self.train, self.gate or Gate()
        )
        with TemporaryDirectory(prefix="slipway-train-") as folder:
            return train(job, self.files(), Path(folder))


class EvaluateModelOperator(_TrainingOperator):
    """Measure the fitted model on the rows kept from it, explain it, and complete its bundle.

    The files are checked against the SHA-256s that TrainModelOperator returned before anything is loaded. The model is
    measured through the runtime that will serve it. Leaves `metadata.json`, `golden.json`, `report.html` and, last,
    `manifest.json`; a bundle that has one is complete, and nothing is done.

    Args:
        model, store, store_conn_id: where the model's objects are.
        dataset_section, train: the sections of the model file.
        dataset: what StoreDatasetOperator returned.
        fit: what TrainModelOperator returned.
    """

    template_fields: Sequence[str] = ("dataset", "fit")

    def __init__(self, *, dataset_section: Dataset, train: Train, dataset: Any, fit: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset_section, self.train, self.dataset, self.fit = dataset_section, train, dataset, fit

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"model_id", "dataset_id", "key", "digest", "metrics", "report", "changed", "summary"}``."""
        from slipway.training.evaluation import evaluate

        job = TrainingJob(self.model, DatasetRef.model_validate(self.dataset), self.dataset_section, self.train)
        with TemporaryDirectory(prefix="slipway-evaluate-") as folder:
            return evaluate(job, self.fit, self.files(), Path(folder))


class CompareModelsOperator(_TrainingOperator):
    """Measure the candidate against the champion on the same rows, by the gate's metric, with a paired bootstrap.

    A champion that cannot score these rows (another target, other classes, features that are gone) is not an error: the
    comparison says what stands in the way, and the gate decides.

    Args:
        model, store, store_conn_id: where the model's objects are.
        gate: the section of the model file; its metric is used.
        evaluation: what EvaluateModelOperator returned.
    """

    template_fields: Sequence[str] = ("evaluation",)

    def __init__(self, *, gate: Gate, evaluation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gate, self.evaluation = gate, evaluation

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns the `Comparison`."""
        from slipway.training.comparison import compare

        ledger = Ledger.open(self.store, self.model, self.store_conn_id)
        found = ledger.find_champion()
        against = (found[0], ledger.get_release(found[0].release).bundle_digest) if found else None
        model_id, digest = self.evaluation["model_id"], self.evaluation["digest"]
        with TemporaryDirectory(prefix="slipway-compare-") as folder:
            comparison = compare(self.gate, model_id, digest, against, self.files(), Path(folder))
        return comparison.model_dump(mode="json")
