"""The image of serving/Dockerfile holds what the server needs, and nothing of what it does not.

What it needs is asked for by the tests of the protocols themselves: they run a second time, against containers whose root
file system is read-only.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import requests

from tests.bundle_maker import make_bundle
from tests.docker_host import PYTHON_IMAGE, require_engine
from tests.integration.serving import served as server
from tests.serving_base import ensure_serving_base

PROTOCOLS = Path(__file__).parents[1] / "serving"
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(scope="module")
def client() -> Any:
    return require_engine(PYTHON_IMAGE)


@pytest.fixture(scope="module", params=["onnx", "joblib"])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def image(client: Any, runtime: str) -> str:
    return ensure_serving_base(client.api, runtime)


def run(client: Any, image: str, script: str) -> str:
    """What a shell in the image says."""
    output = client.containers.run(image, ["-c", script], entrypoint="sh", remove=True, read_only=True)
    return str(output.decode())


@pytest.mark.parametrize("module", ["test_platforms.py", "test_clients.py"])
def test_every_protocol_and_form_of_body(client: Any, module: str) -> None:
    """SageMaker, Vertex AI, MLflow, V2 in JSON and binary; JSON, CSV, Parquet, Arrow and .npy."""
    image = ensure_serving_base(client.api)
    command = [sys.executable, "-m", "pytest", "-q", str(PROTOCOLS / module)]
    environment = os.environ | {"SLIPWAY_TEST_SERVER_IMAGE": image}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:]


def test_its_own_runtime_answers(image: str, runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages, metrics and a prediction in several forms, of a bundle that this image is for."""
    monkeypatch.setattr(server, "IMAGE", image)
    digest = make_bundle(tmp_path / "bundle", runtime=runtime)
    with server.served(tmp_path / "bundle", digest) as address:
        for path in ("/", "/docs", "/openapi.json", "/metrics", "/ping", "/v2/health/live", "/v2/models/iris"):
            answer = requests.get(f"http://{address}{path}", timeout=10)
            assert (answer.status_code, answer.headers["Slipway-Bundle"]) == (200, digest), path
        for headers, body in bodies():
            answer = requests.post(f"http://{address}/predict", body, headers=headers, timeout=10)
            assert answer.json()["prediction"] in ("setosa", ["setosa"]), headers


def bodies() -> list[tuple[dict[str, str], bytes]]:
    """A row as packed JSON, as Parquet, as an Arrow stream."""
    table, parquet, stream = pa.table({name: [value] for name, value in ROW.items()}), io.BytesIO(), io.BytesIO()
    pa.parquet.write_table(table, parquet)
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    packed = gzip.compress(json.dumps({"features": ROW}).encode())
    return [
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, packed),
        ({"Content-Type": "application/vnd.apache.parquet"}, parquet.getvalue()),
        ({"Content-Type": "application/vnd.apache.arrow.stream"}, stream.getvalue()),
    ]


def test_nothing_to_build_or_install_with(client: Any, image: str) -> None:
    found = run(
        client, image, "for name in cc gcc c++ ld as strip patchelf make pip pip3; do command -v $name; done; true"
    )
    assert found == ""
    assert run(client, image, "find /tmp /opt -name pip -o -name 'pip-*' -o -name setuptools") == ""


def test_scikit_learn_only_where_it_serves(client: Any, image: str, runtime: str) -> None:
    packages = run(client, image, "ls /opt/venv/lib/python3*/site-packages").split()
    assert ("sklearn" in packages) == ("scipy" in packages) == ("pandas" in packages) == (runtime == "joblib")


def test_user_is_a_number_that_is_not_root(client: Any, image: str) -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", client.images.get(image).attrs["Config"]["User"])
    assert run(client, image, "id -u; find /opt -writable ! -type l").split() == ["10001"]


def test_no_module_is_compiled_at_a_start(client: Any, image: str) -> None:
    """The image holds the bytecode of every module, and it belongs to the sources beside it."""
    script = "python3 -v -c 'import model_server.app, model_server.http_worker, onnxruntime, pyarrow.parquet' 2>&1"
    said = run(client, image, f"ORT_DISABLE_TELEMETRY=1 {script}")
    assert said.count(".pyc matches") > 300
    assert re.findall(r"# bytecode is stale for .*|# could not .*|# code object from '?/opt/.*\.py'?$", said) == []
