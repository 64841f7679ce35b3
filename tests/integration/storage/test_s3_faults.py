"""How S3's refusals and failures come out: one class per reaction, with a text that says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from slipway.core.errors import DeniedError, UnavailableError
from slipway.storage.object_store import ObjectStore, open_store
from tests.integration.storage import emulators


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with emulators.aws() as url:
        emulators.aws_client(url, "s3").create_bucket(Bucket="slipway")
        yield url


@pytest.fixture
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ObjectStore]:
    """Opens a store by a connection that asks botocore for one attempt, so that failing is quick."""

    def open_by(url: str, **extra: object) -> ObjectStore:
        settings = {"config_kwargs": {"retries": {"total_max_attempts": 1, "mode": "standard"}}, **extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", emulators.aws_connection(url, **settings))
        return open_store("s3://slipway/iris")

    return open_by


@contextmanager
def answering(status: int, code: str, message: str = "for a reason") -> Iterator[tuple[str, list[str]]]:
    """A server that gives one S3 error to everything; yields its URL and the requests it saw."""
    seen: list[str] = []

    class Refuse(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append(self.requestline)
            body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            """Keep the test's output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()


def test_unknown_keys_are_denied(aws: str, one_attempt: Callable[..., ObjectStore]) -> None:
    store = one_attempt(aws)
    emulators.demand_known_keys(aws)
    try:
        with pytest.raises(DeniedError) as caught:
            store.read("champion.json")
    finally:
        emulators.allow_any_keys(aws)
    text = str(caught.value)
    assert text.startswith("could not read the object: s3://slipway/iris/champion.json: InvalidAccessKeyId:")
    assert text.endswith("Give the connection's identity this permission on the bucket.")


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError")])
def test_trouble_on_their_side_is_unavailable(status: int, code: str, one_attempt: Callable[..., ObjectStore]) -> None:
    with answering(status, code) as (url, _), pytest.raises(UnavailableError, match=f"{code}: for a reason"):
        one_attempt(url).read("key")


def test_a_dead_endpoint_is_unavailable(one_attempt: Callable[..., ObjectStore]) -> None:
    with pytest.raises(UnavailableError) as caught:
        one_attempt("http://127.0.0.1:9").read("key")
    assert "Could not connect to the endpoint URL" in str(caught.value)
    assert "check_connectivity tells which step fails" in str(caught.value)


def test_vendor_text_is_cut_short(one_attempt: Callable[..., ObjectStore]) -> None:
    with answering(400, "Odd", "secret" * 200) as (url, _), pytest.raises(UnavailableError) as caught:
        one_attempt(url).read("key")
    assert len(caught.value.why) == 200


def test_without_settings_of_its_own_a_connection_gets_ours(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", emulators.aws_connection(aws))
    config = open_store("s3://slipway").client.meta.config  # type: ignore[attr-defined]
    assert (config.retries["mode"], config.connect_timeout, config.read_timeout) == ("standard", 10, 60)


def test_no_credentials_is_denied_and_says_where_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    connection = {"conn_type": "aws", "extra": {"region_name": "us-east-1", "endpoint_url": "http://127.0.0.1:9"}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    with pytest.raises(DeniedError) as caught:
        open_store("s3://slipway").read("key")
    assert str(caught.value).endswith("Give the Airflow connection an access key, a profile or a role.")


@pytest.mark.parametrize("uri", ["s3://slipway", "gs://slipway"])
def test_opening_a_store_imports_no_sdk(uri: str) -> None:
    heavy = "{'boto3', 'botocore', 'google.cloud.storage', 'airflow'}"
    code = (
        "import sys; from slipway.storage.object_store import open_store;"
        f"open_store({uri!r}); sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
