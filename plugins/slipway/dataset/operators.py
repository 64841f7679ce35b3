"""The dataset station as a task."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from slipway.dataset.ingestion import ingest, read_schema
from slipway.release.ledger import Ledger
from slipway.storage.object_store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from slipway.core.model_file import Dataset


class StoreDatasetOperator(BaseOperator):
    """Fetch a dataset, check it against the model file and the champion, and store it under the digest of its bytes.

    A column that the model file declares is checked by its declaration; one that it does not declare must look as it
    did to the champion. Broken rules fail the task with one error that lists them all, and nothing is stored. The same
    bytes under the same rules are neither checked nor stored a second time.

    Args:
        dataset: the model file's section.
        model: the model's name; everything is kept below ``<store>/<model>/``.
        store: ``s3://bucket[/prefix]``, ``gs://bucket[/prefix]``, ``file:///folder`` or a path.
        store_conn_id: Airflow connection of the store; None is the scheme's default.
        uri: the file to read instead of ``dataset.uri``; templated. A relative path starts at the worker's folder.
        task: ``classification`` or ``regression``, where the model file says so.
    """

    template_fields: Sequence[str] = ("uri",)
    ui_color = "#e8f0ea"

    def __init__(
        self,
        *,
        dataset: Dataset,
        model: str,
        store: str,
        store_conn_id: str | None = None,
        uri: str | None = None,
        task: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset, self.task = dataset, task
        self.uri = uri or dataset.uri
        self.model, self.store, self.store_conn_id = model, store, store_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns a `DatasetRef` as JSON."""
        files = open_store(f"{self.store.rstrip('/')}/{self.model}", self.store_conn_id)
        champion = Ledger.open(self.store, self.model, self.store_conn_id).champion_release()
        schema = read_schema(files, champion.dataset_id) if champion else None
        label = f"release {champion.number}" if champion else ""
        with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
            ref = ingest(
                self.uri,
                self.dataset.conn_id,
                self.dataset,
                files,
                champion_schema=schema,
                champion_label=label,
                work_dir=Path(folder),
                task=self.task,
            )
        self.log.info("%s", ref.summary)
        return ref.model_dump(mode="json")
