"""From a URI to a validated dataset in the store, addressed by its bytes; a second time there is nothing to do.

datasets/<sha256 of the file>/data.csv        the bytes as they came
datasets/<sha256 of the file>/manifest.json   written last: without it the dataset does not exist
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slipway.core.column import Schema
from slipway.core.dataset import DatasetRef
from slipway.core.identity import short
from slipway.dataset.rules import Rules
from slipway.dataset.source import Source, fetch, public_uri

if TYPE_CHECKING:
    from pathlib import Path

    from slipway.core.model_file import Dataset
    from slipway.storage.object_store import ObjectStore


def ingest(
    source_uri: str,
    source_conn_id: str | None,
    dataset: Dataset,
    store: ObjectStore,
    *,
    champion_schema: Schema | None,
    champion_label: str,
    work_dir: Path,
    task: str | None = None,
) -> DatasetRef:
    """Fetch, validate and store one dataset.

    Safe to repeat after being killed at any point: what is stored has a name made of its content, each object is
    written all or nothing, and the manifest comes last.

    Args:
        source_uri: path, s3://, gs:// or https:// of the file.
        source_conn_id: Airflow connection to read it with; None is the scheme's default.
        dataset: what the model file says of it.
        store: already below ``<store>/<model>/``.
        champion_schema: the schema of the champion's dataset, if there is a champion.
        champion_label: for error texts, e.g. ``release 3``.
        work_dir: an empty local folder; a remote source is staged there.
        task: classification or regression where the model file says so.

    Raises:
        RejectedError: the data broke a rule; nothing was stored.
        AbsentError: no such source.
        ConfigurationError: not a supported format.
        ConflictError: the source was written to meanwhile.
    """
    rules = Rules(dataset, task, champion_schema, champion_label)
    source = fetch(source_uri, source_conn_id, work_dir)
    found = _find_manifest(store, source)
    if found is not None and rules.are_met_by(found["validated_with"], Schema.model_validate(found["schema"])):
        return _reference(found, source, changed=False)
    manifest = _validated(source, rules, work_dir)
    if found is None:
        store.upload(_key(source), source.path)
    source.ensure_unchanged()
    store.write(_manifest_key(source), json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n")
    return _reference(manifest, source, changed=found is None)


def read_schema(store: ObjectStore, dataset_id: str) -> Schema:
    """The schema of a stored dataset. Raises AbsentError."""
    return Schema.model_validate(json.loads(store.read(f"datasets/{dataset_id}/manifest.json"))["schema"])


def _find_manifest(store: ObjectStore, source: Source) -> dict[str, Any] | None:
    stored = store.find(_manifest_key(source))
    if stored is None or not store.exists(_key(source)):
        return None
    manifest: dict[str, Any] = json.loads(stored.data)
    return manifest


def _validated(source: Source, rules: Rules, work_dir: Path) -> dict[str, Any]:
    # Imported here: a dataset that is stored already does not pay for pyarrow.
    from slipway.dataset.validation import validate

    spill = work_dir / "validation"
    spill.mkdir(exist_ok=True)
    validated = validate(source.path, rules, uri=public_uri(source.uri), work_dir=spill)
    return {
        "id": source.sha256,
        "files": {_file_name(source): {"sha256": source.sha256, "size_bytes": source.size_bytes}},
        "rows": validated.rows,
        "schema": validated.schema.model_dump(mode="json"),
        "source": public_uri(source.uri),
        "validated_with": rules.identity(),
    }


def _reference(manifest: dict[str, Any], source: Source, *, changed: bool) -> DatasetRef:
    rows, id_ = manifest["rows"], manifest["id"]
    return DatasetRef(
        id=id_,
        key=_key(source),
        rows=rows,
        size_bytes=source.size_bytes,
        file_sha256=source.sha256,
        schema=Schema.model_validate(manifest["schema"]),
        changed=changed,
        summary=f"stored {rows} rows as {short(id_)}" if changed else f"already stored: {rows} rows, {short(id_)}",
    )


def _file_name(source: Source) -> str:
    return f"data{source.format.suffix}"


def _key(source: Source) -> str:
    return f"datasets/{source.sha256}/{_file_name(source)}"


def _manifest_key(source: Source) -> str:
    return f"datasets/{source.sha256}/manifest.json"
