"""Every place a dataset may come from, every place it may be stored in, and every format, over real sockets."""

from __future__ import annotations

import gzip
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from slipway.core.model_file import Dataset
from slipway.dataset.operators import StoreDatasetOperator
from slipway.storage.object_store import open_store
from tests.integration.network.local_servers import certificate
from tests.integration.storage import emulators

ROWS = [(1.5, "red", 0), (2.0, "blue", 1), (3.0, "red", 0)]
CSV = "x,c,y\n" + "".join(f"{x},{c},{y}\n" for x, c, y in ROWS)
JSONL = "".join(json.dumps({"x": x, "c": c, "y": y}) + "\n" for x, c, y in ROWS)
SUFFIXES = [".csv", ".csv.gz", ".parquet", ".jsonl"]


def content(suffix: str) -> bytes:
    """The same three rows in each format."""
    if suffix == ".parquet":
        sink = pa.BufferOutputStream()
        columns = dict(zip("xcy", map(list, zip(*ROWS, strict=True)), strict=True))
        pa_parquet.write_table(pa.table(columns), sink)
        return bytes(sink.getvalue())
    text = JSONL if suffix == ".jsonl" else CSV
    return gzip.compress(text.encode(), mtime=0) if suffix.endswith(".gz") else text.encode()


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with emulators.aws() as url:
        for bucket in ("inbox", "slipway"):
            emulators.aws_client(url, "s3").create_bucket(Bucket=bucket)
        yield url


@pytest.fixture(scope="module")
def google() -> Iterator[str]:
    with emulators.google("slipway") as url:
        yield url


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Path]]:
    """URL, folder and certificate of a web server with TLS."""
    folder = tmp_path_factory.mktemp("site")
    pem = certificate(tmp_path_factory.mktemp("tls") / "server.pem", days=10)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, directory=str(folder), **named)

        def log_message(self, *_arguments: Any) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}", folder, pem
        server.shutdown()


@pytest.fixture(autouse=True)
def connections(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test names is started."""
    wanted = {str(value) for value in request.node.callspec.params.values()}
    if "s3" in wanted:
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", emulators.aws_connection(request.getfixturevalue("aws")))
    if "gs" in wanted:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", request.getfixturevalue("google"))
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", emulators.google_connection())
    if "https" in wanted:
        monkeypatch.setenv("SSL_CERT_FILE", str(request.getfixturevalue("site")[2]))


def put(request: pytest.FixtureRequest, scheme: str, name: str, data: bytes, folder: Path) -> str:
    """Lay a file where a person would; returns its URI."""
    if scheme == "https":
        url, root, _ = request.getfixturevalue("site")
        (root / name).write_bytes(data)
        return f"{url}/{name}"
    if scheme in {"s3", "gs"}:
        bucket = "inbox" if scheme == "s3" else "slipway"
        open_store(f"{scheme}://{bucket}/in").write(name, data)
        return f"{scheme}://{bucket}/in/{name}"
    (folder / name).write_bytes(data)
    return f"{'file://' if scheme == 'file' else ''}{folder / name}"


def store_dataset(uri: str, store: str) -> dict[str, Any]:
    dataset = Dataset(uri=uri, target="y")
    return StoreDatasetOperator(task_id="store_dataset", dataset=dataset, model="m", store=store).execute({})


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("scheme", ["s3", "gs", "https", "file", "path"])
def test_a_dataset_is_read_from_there_in_that_format(
    request: pytest.FixtureRequest, tmp_path: Path, scheme: str, suffix: str
) -> None:
    data = content(suffix)
    uri = put(request, scheme, f"rows{suffix}", data, tmp_path)
    found = store_dataset(uri, f"file://{tmp_path}/store")
    assert (found["rows"], found["changed"], found["size_bytes"]) == (3, True, len(data))
    columns = [*found["schema"]["features"], found["schema"]["target"]]
    assert [(column["name"], column["type"]) for column in columns] == [
        ("x", "number"),
        ("c", "category"),
        ("y", "integer"),
    ]
    assert (tmp_path / "store" / "m" / found["key"]).read_bytes() == data


@pytest.mark.parametrize("scheme", ["s3", "gs", "file"])
def test_it_is_stored_there_once_manifest_and_all(tmp_path: Path, scheme: str) -> None:
    root = f"file://{tmp_path}/store" if scheme == "file" else f"{scheme}://slipway/{tmp_path.name}"
    (tmp_path / "rows.csv").write_text(CSV)
    found = store_dataset(str(tmp_path / "rows.csv"), root)
    store = open_store(f"{root}/m")
    assert store.read(found["key"]) == CSV.encode()
    assert sorted(store.keys("")) == [f"datasets/{found['id']}/data.csv", f"datasets/{found['id']}/manifest.json"]
    assert store_dataset(str(tmp_path / "rows.csv"), root)["changed"] is False
