"""The connectivity task against real sockets: reached, unreachable, denied, absent, not in this version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.core.errors import AbsentError, ConfigurationError, DeniedError, SlipwayError, UnavailableError
from slipway.network.operators import CheckEndpointOperator
from slipway.storage.object_store import open_store
from tests.docker_host import ENGINE_URL, free_port, registry, require_engine
from tests.integration.network.local_servers import certificate, serving
from tests.integration.storage import emulators


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with emulators.aws() as url:
        client = emulators.aws_client(url, "s3")
        client.create_bucket(Bucket="slipway")
        client.create_bucket(Bucket="inbox")
        client.put_object(Bucket="inbox", Key="2013-01-05.csv", Body=b"x" * 1234)
        yield url


@pytest.fixture
def connected(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", emulators.aws_connection(aws))
    return aws


def check(kind: str, address: str, *, name: str = "dataset", conn_id: str | None = None) -> dict[str, Any]:
    endpoint = {"name": name, "kind": kind, "address": address, "conn_id": conn_id}
    operator = CheckEndpointOperator(task_id="check_endpoint", endpoint=endpoint)  # type: ignore[typeddict-item]
    operator.render_template_fields({"ds": "2013-01-05"})
    return operator.execute({})


def test_a_dataset_in_s3_is_reached_and_read(connected: str) -> None:
    found = check("source", "s3://inbox/{{ ds }}.csv")
    assert json.loads(json.dumps(found)) == found
    assert (found["endpoint"], found["verdict"], found["changed"]) == ("dataset", "ok", False)
    assert [step["name"] for step in found["steps"]] == ["dns", "tcp", "http", "credentials"]
    assert found["summary"] == "may read s3://inbox/2013-01-05.csv, 1,234 bytes"


def test_a_dataset_that_is_not_there_yet_is_absent(connected: str) -> None:
    with pytest.raises(AbsentError) as caught:
        check("source", "s3://inbox/2013-01-06.csv")
    text = str(caught.value)
    assert text.startswith("could not find the dataset: s3://inbox/2013-01-06.csv: ")
    assert text.endswith("Check the URI; on a backfill or a schedule, whether this date has a file.")


def test_a_store_is_written_to_and_left_as_it_was(connected: str) -> None:
    found = check("store", "s3://slipway/models", name="store")
    assert found["summary"] == "may write to s3://slipway/models"
    assert "Contents" not in emulators.aws_client(connected, "s3").list_objects_v2(Bucket="slipway")


def test_a_store_without_a_bucket_is_absent_and_says_how_to_make_one(connected: str) -> None:
    with pytest.raises(AbsentError, match=r"aws s3 mb s3://nowhere"):
        check("store", "s3://nowhere", name="store")


def test_wrong_keys_are_denied_in_s3_and_in_ec2(connected: str) -> None:
    emulators.demand_known_keys(connected)
    try:
        with pytest.raises(DeniedError, match=r"403: Forbidden\. Give the connection's identity this permission"):
            check("source", "s3://inbox/{{ ds }}.csv")
        with pytest.raises(DeniedError, match=r"could not ask EC2: security group: .*AuthFailure"):
            check("ec2", "us-east-1", name="security group", conn_id="aws_default")
    finally:
        emulators.allow_any_keys(connected)


def test_ec2_is_asked_for_what_the_run_will_need(connected: str) -> None:
    found = check("ec2", "", name="security group iris", conn_id="aws_default")
    assert found["summary"] == "may describe security groups in us-east-1"


def test_a_dead_endpoint_is_unreachable_at_the_step_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", emulators.aws_connection("http://127.0.0.1:9"))
    with pytest.raises(UnavailableError) as caught:
        check("store", "s3://slipway", name="store")
    assert str(caught.value) == (
        "could not reach the endpoint: store (http://127.0.0.1:9): tcp failed: 127.0.0.1 port 9: Connection refused. "
        "Check name, network and firewall between this worker and it; is it running?"
    )


def test_a_dataset_on_the_web_is_reached_and_absent_is_told_apart(tmp_path: Path) -> None:
    with serving() as url:
        found = check("source", f"{url}/rows.csv")
        assert [step["name"] for step in found["steps"]] == ["dns", "tcp", "http", "credentials"]
        assert found["summary"] == f"may read {url}/rows.csv, 8 bytes"
        with pytest.raises(AbsentError, match="could not find the dataset"):
            check("source", f"{url}/other.csv")


def test_a_certificate_nobody_vouches_for_names_the_step(tmp_path: Path) -> None:
    with (
        serving(certificate(tmp_path / "server.pem", days=10)) as url,
        pytest.raises(UnavailableError, match=r"tls failed: .*self-signed certificate"),
    ):
        check("source", f"{url}/rows.csv")


def test_a_local_dataset_is_there_or_absent(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    assert check("source", f"{tmp_path}/rows.csv")["summary"] == f"may read {tmp_path}/rows.csv, 4 bytes"
    with pytest.raises(AbsentError, match="whether this date has a file"):
        check("source", f"file://{tmp_path}/other.csv")


def test_a_folder_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(AbsentError, match="it is a folder, not a file"):
        check("source", str(tmp_path))


@pytest.mark.parametrize("address", ["s3://", "https://127.0.0.1:port/a.csv", "a\0b.csv"])
def test_an_address_that_cannot_be_one_is_refused_before_any_look_up(address: str) -> None:
    with pytest.raises(ConfigurationError, match="could not tell which file is meant"):
        check("source", address)


@pytest.fixture(scope="module")
def google() -> Iterator[str]:
    with emulators.google("slipway") as url:
        yield url


def test_google_cloud_storage_is_read_written_and_absent_is_told_apart(
    google: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google)
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", emulators.google_connection())
    open_store("gs://slipway/in").write("2013-01-05.csv", b"rows")
    found = check("source", "gs://slipway/in/{{ ds }}.csv")
    assert [step["name"] for step in found["steps"]] == ["dns", "tcp", "http", "credentials"]
    assert found["summary"] == "may read gs://slipway/in/2013-01-05.csv, 4 bytes"
    assert check("store", "gs://slipway/m", name="store")["summary"] == "may write to gs://slipway/m"
    with pytest.raises(AbsentError, match="could not find the dataset"):
        check("source", "gs://slipway/in/2013-01-06.csv")
    with pytest.raises(AbsentError, match=r"there is no such bucket\. Create it first: gcloud storage buckets create"):
        check("store", "gs://nowhere/m", name="store")


def test_a_local_store_is_made_and_written_to(tmp_path: Path) -> None:
    assert (
        check("store", f"file://{tmp_path}/store", name="store")["summary"] == f"may write to file://{tmp_path}/store"
    )
    (tmp_path / "file").touch()
    with pytest.raises(SlipwayError, match="could not write"):
        check("store", f"{tmp_path}/file", name="store")


@pytest.mark.parametrize("name", ["deploy: kubernetes", "deploy: docker", "image", "https"])
def test_what_this_version_cannot_do_fails_here(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check("unavailable", name, name=name)
    assert str(caught.value) == (
        f"could not prepare the run: {name}: the model file declares it, but it is not part of this version of Slipway. "
        "Remove it from the model file; `deploy: [process: {}]` serves from this machine."
    )


def test_a_store_scheme_of_a_later_version_fails_here_too() -> None:
    with pytest.raises(ConfigurationError, match="no store for the scheme 'abfs' in this version"):
        check("store", "abfs://container/models", name="store")


def test_the_grid_can_name_each_mapped_task() -> None:
    endpoint = {"name": "store", "kind": "store", "address": "/tmp", "conn_id": None}
    task = CheckEndpointOperator(task_id="check_endpoint", endpoint=endpoint)  # type: ignore[typeddict-item]
    assert (task.endpoint["name"], "endpoint" in task.template_fields) == ("store", True)


def test_a_registry_is_reached_and_may_be_pushed_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with registry(tmp_path / "r", user="slipway", password="right") as running:
        connection = {"conn_type": "docker", "host": running.address, "login": "slipway", "password": "right"}
        monkeypatch.setenv("AIRFLOW_CONN_REG", json.dumps(connection))
        found = check("registry", f"{running.address}/models/iris", name="registry", conn_id="reg")
        assert [step["name"] for step in found["steps"]] == ["dns", "tcp", "http", "credentials"]
        assert found["summary"] == f"may push to {running.address}/models/iris"
        with pytest.raises(DeniedError, match="could not push to the repository"):
            check("registry", f"{running.address}/models/iris", name="registry")


def test_a_registry_that_is_down(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"could not reach the endpoint: registry .*: tcp failed"):
        check("registry", f"127.0.0.1:{free_port()}/models/iris", name="registry")


def test_a_docker_engine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    version = require_engine().version()["Version"]
    monkeypatch.setenv("AIRFLOW_CONN_DOCKER_X", json.dumps({"conn_type": "docker", "host": ENGINE_URL}))
    found = check("docker", "docker_x", name="Docker engine docker_x", conn_id="docker_x")
    assert found["summary"] == f"Docker {version} answers connection docker_x"


@pytest.mark.parametrize(
    ("host", "kind", "text"),
    [
        ("unix:///nowhere.sock", UnavailableError, "could not reach the Docker engine: unix:///nowhere.sock"),
        ("tcp://127.0.0.1:1", ConfigurationError, "without TLS whoever reaches that port is root on the host"),
        (
            "127.0.0.1",
            ConfigurationError,
            "its host is 127.0.0.1. Allowed are unix:///var/run/docker.sock, ssh://",
        ),
    ],
)
def test_a_docker_engine_that_does_not(
    host: str, kind: type[SlipwayError], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOCKER_X", json.dumps({"conn_type": "docker", "host": host}))
    with pytest.raises(kind) as raised:
        check("docker", "docker_x", name="Docker engine docker_x", conn_id="docker_x")
    assert text in str(raised.value)
