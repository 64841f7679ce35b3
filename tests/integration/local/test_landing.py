"""Landing data over a real socket: laid once, laid to the end after a crash, and nothing for a model that brings its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from slipway.local import landing


@pytest.fixture
def connection() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    extra = {"region_name": "us-east-1", "endpoint_url": f"http://127.0.0.1:{port}"}
    yield json.dumps({"login": "a", "password": "b", "extra": extra})
    server.stop()


def client(connection: str) -> Any:
    settings = json.loads(connection)
    names = {"aws_access_key_id": settings["login"], "aws_secret_access_key": settings["password"]}
    return boto3.client("s3", **settings["extra"], **names)


@pytest.fixture(autouse=True)
def empty_cloud(connection: str) -> None:
    """moto's state belongs to the process, not to the server: each test begins with none."""
    import urllib.request

    url = json.loads(connection)["extra"]["endpoint_url"]
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"), timeout=10)


def test_iris_is_laid_once(connection: str) -> None:
    assert landing.lay("iris", connection) == 1
    assert landing.lay("iris", connection) == 0
    lines = client(connection).get_object(Bucket="inbox", Key="iris/iris.csv")["Body"].read().decode().splitlines()
    assert lines[0] == "sepal_length,sepal_width,petal_length,petal_width,species"
    assert len(lines) == 151
    assert {line.rsplit(",", 1)[1] for line in lines[1:]} == {"setosa", "versicolor", "virginica"}
    assert lines[1] == "5.1,3.5,1.4,0.2,setosa"


def test_a_laying_that_was_interrupted_is_done_again(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> Iterator[tuple[str, bytes]]:
        yield "pair/1.csv", b"1"
        raise KeyboardInterrupt

    monkeypatch.setitem(landing.DATASETS, "pair", interrupted)
    with pytest.raises(KeyboardInterrupt):
        landing.lay("pair", connection)
    monkeypatch.setitem(landing.DATASETS, "pair", lambda: iter([("pair/1.csv", b"1"), ("pair/2.csv", b"2")]))
    assert landing.lay("pair", connection) == 2
    assert landing.lay("pair", connection) == 0


def test_a_model_without_a_dataset_of_ours_gets_its_buckets_and_nothing_else(connection: str) -> None:
    assert landing.lay("wine", connection) == 0
    s3 = client(connection)
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {"inbox", "slipway"}
    assert s3.list_objects_v2(Bucket="inbox")["KeyCount"] == 0
