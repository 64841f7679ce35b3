from __future__ import annotations

import gzip
import hashlib
import http.server
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.core.column import Schema
from slipway.core.dataset import DatasetRef
from slipway.core.errors import AbsentError, ConfigurationError, ConflictError, RejectedError
from slipway.core.model_file import Dataset
from slipway.dataset.ingestion import ingest, read_schema
from slipway.storage.file_store import FileStore

ROWS = b"x,c,y\n1.5,red,0\n2,blue,1\n3,red,0\n"
ID = hashlib.sha256(ROWS).hexdigest()


class CountingStore(FileStore):
    """Counts what is written."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.written: list[str] = []

    def write(self, key: str, data: bytes) -> None:
        self.written.append(key.rsplit("/", 1)[-1])
        super().write(key, data)

    def upload(self, key: str, path: Path) -> None:
        self.written.append(key.rsplit("/", 1)[-1])
        super().upload(key, path)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path / "store")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_bytes(ROWS)
    return path


def run(uri: str | Path, store: FileStore, champion: Schema | None = None, **section: Any) -> DatasetRef:
    work_dir = store_root(store).parent / f"work{len(list(store_root(store).parent.iterdir()))}"
    work_dir.mkdir()
    dataset = Dataset.model_validate({"uri": str(uri), "target": "y", **section})
    return ingest(
        str(uri), None, dataset, store, champion_schema=champion, champion_label="release 3", work_dir=work_dir
    )


def store_root(store: FileStore) -> Path:
    return Path(store.uri)


def test_a_dataset_is_stored_under_its_digest_manifest_last(source: Path, store: CountingStore) -> None:
    ref = run(source, store)
    assert store.written == ["data.csv", "manifest.json"]
    assert list(store.keys("")) == [f"datasets/{ID}/data.csv", f"datasets/{ID}/manifest.json"]
    assert store.read(ref.key) == ROWS
    assert ref.model_dump(mode="json", exclude={"table_schema"}) == {
        "id": ID,
        "key": f"datasets/{ID}/data.csv",
        "rows": 3,
        "size_bytes": len(ROWS),
        "file_sha256": ID,
        "changed": True,
        "summary": f"stored 3 rows as {ID[:12]}",
    }
    manifest = json.loads(store.read(f"datasets/{ID}/manifest.json"))
    assert sorted(manifest) == ["files", "id", "rows", "schema", "source", "validated_with"]
    assert manifest["files"] == {"data.csv": {"sha256": ID, "size_bytes": len(ROWS)}}
    assert read_schema(store, ID) == ref.table_schema


def test_a_reference_survives_an_xcom(source: Path, store: CountingStore) -> None:
    ref = run(source, store)
    assert DatasetRef.model_validate(json.loads(json.dumps(ref.model_dump(mode="json")))) == ref
    assert [column["name"] for column in ref.model_dump(mode="json")["schema"]["features"]] == ["x", "c"]


def test_the_same_bytes_are_not_checked_or_stored_again(source: Path, store: CountingStore) -> None:
    first = run(source, store)
    (source.parent / "copy.csv").write_bytes(ROWS)
    again = run(source.parent / "copy.csv", store)
    assert len(store.written) == 2
    assert (again.changed, again.summary) == (False, f"already stored: 3 rows, {ID[:12]}")
    assert again.table_schema == first.table_schema


def test_other_rules_check_again_and_rewrite_only_the_manifest(source: Path, store: CountingStore) -> None:
    run(source, store)
    ref = run(source, store, columns={"x": {"minimum": 0}})
    assert store.written == ["data.csv", "manifest.json", "manifest.json"]
    assert ref.changed is False
    assert ref.table_schema.features[0].minimum == 0


def test_other_rules_that_reject_leave_the_manifest_alone(source: Path, store: CountingStore) -> None:
    run(source, store)
    before = store.read(f"datasets/{ID}/manifest.json")
    with pytest.raises(RejectedError, match=r"x: minimum: found '1\.5' in row 1"):
        run(source, store, columns={"x": {"minimum": 2}})
    assert store.read(f"datasets/{ID}/manifest.json") == before


def test_the_dataset_that_made_the_champion_is_not_checked_against_itself(source: Path, store: CountingStore) -> None:
    schema = run(source, store).table_schema
    run(source, store, champion=schema)
    assert store.written == ["data.csv", "manifest.json"]
    other = schema.model_copy(update={"target": schema.target.model_copy(update={"type": "number"})})
    assert run(source, store, champion=other).table_schema == other
    assert store.written == ["data.csv", "manifest.json", "manifest.json"]


def test_where_it_is_read_from_is_no_rule(source: Path, store: CountingStore) -> None:
    run(source, store)
    work_dir = source.parent / "elsewhere"
    work_dir.mkdir()
    dataset = Dataset(uri="s3://inbox/{{ ds }}.csv", conn_id="other", target="y")
    ref = ingest(str(source), None, dataset, store, champion_schema=None, champion_label="", work_dir=work_dir)
    assert ref.changed is False


def test_nothing_is_stored_for_a_rejected_file(source: Path, store: CountingStore) -> None:
    source.write_bytes(ROWS + b"4,red,\n")
    with pytest.raises(
        RejectedError, match=r"could not accept the dataset: .*rows\.csv: 1 rule is broken, nothing was stored"
    ):
        run(source, store)
    assert list(store.keys("")) == []


def test_a_lost_data_file_is_stored_again(source: Path, store: CountingStore) -> None:
    store.delete(run(source, store).key)
    assert run(source, store).changed is True
    assert store.read(f"datasets/{ID}/data.csv") == ROWS


def test_a_missing_source_names_the_uri_and_the_date(tmp_path: Path, store: CountingStore) -> None:
    with pytest.raises(AbsentError) as caught:
        run(tmp_path / "2013-01-09.csv", store)
    assert str(caught.value) == (
        f"could not fetch the dataset: {tmp_path}/2013-01-09.csv: there is no such file. "
        "Check dataset.uri; in a backfill, it may be that there is no file for this run's date."
    )


def test_an_unsupported_format_lists_the_supported_ones(tmp_path: Path, store: CountingStore) -> None:
    with pytest.raises(ConfigurationError, match=r"ends in none of \.csv, \.csv\.gz, \.parquet, \.jsonl, \.jsonl\.gz"):
        run(tmp_path / "a.xlsx", store)


def test_a_source_that_changes_meanwhile_is_not_trusted(source: Path, tmp_path: Path) -> None:
    class Busy(FileStore):
        def upload(self, key: str, path: Path) -> None:
            with path.open("ab") as file:
                file.write(b"4,red,1\n")
            super().upload(key, path)

    store = Busy(tmp_path / "store")
    with pytest.raises(ConflictError, match="the file changed while it was being read"):
        run(source, store)
    assert not store.exists(f"datasets/{ID}/manifest.json")
    source.write_bytes(ROWS)
    run(source, FileStore(tmp_path / "store"))
    assert store.read(f"datasets/{ID}/data.csv") == ROWS


def test_home_relative_and_file_paths(source: Path, store: CountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(source.parent))
    monkeypatch.chdir(source.parent)
    ids = {run(uri, store).id for uri in ("~/rows.csv", "rows.csv", f"file://{source}")}
    assert ids == {ID}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server over `tmp_path`."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, directory=str(tmp_path), **kwargs)

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_remote_source_is_staged_and_its_query_kept_out_of_the_manifest(
    site: str, tmp_path: Path, store: CountingStore
) -> None:
    data = gzip.compress(ROWS, mtime=0)
    (tmp_path / "rows.csv.gz").write_bytes(data)
    ref = run(f"{site}/rows.csv.gz?token=secret", store)
    assert ref.id == hashlib.sha256(data).hexdigest()
    assert store.read(ref.key) == data
    assert ref.key.endswith("/data.csv.gz")
    assert json.loads(store.read(f"datasets/{ref.id}/manifest.json"))["source"] == f"{site}/rows.csv.gz"


def test_a_missing_remote_source_says_the_same(site: str, store: CountingStore) -> None:
    with pytest.raises(AbsentError, match=r"/none\.csv: there is no such file\. Check dataset\.uri; in a backfill"):
        run(f"{site}/none.csv", store)


def test_a_stored_dataset_costs_no_pyarrow(source: Path, store: CountingStore) -> None:
    run(source, store)
    code = (
        "import sys; from pathlib import Path; from slipway.core.model_file import Dataset;"
        "from slipway.dataset.ingestion import ingest; from slipway.storage.file_store import FileStore;"
        f"ref = ingest({str(source)!r}, None, Dataset(uri='a.csv', target='y'), FileStore(Path({store.uri!r})),"
        " champion_schema=None, champion_label='', work_dir=Path('.'));"
        "assert not ref.changed; assert 'pyarrow' not in sys.modules and 'pandas' not in sys.modules"
    )
    assert (
        os.spawnve(os.P_WAIT, sys.executable, [sys.executable, "-c", code], os.environ | {"PYTHONPATH": "plugins"}) == 0
    )
