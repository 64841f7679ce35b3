"""A dataset behind a web server: what is read, and how each way of not answering comes out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from slipway.core.errors import AbsentError, ConfigurationError, DeniedError, UnavailableError
from slipway.storage.object_store import ObjectStore, open_store

ROWS = b"a,b\n1,2\n" * 1000


class Site(BaseHTTPRequestHandler):
    """`/rows.csv`, and one path for each way to fail."""

    def do_GET(self) -> None:
        statuses = {"/old.csv": 302, "/secret.csv": 403, "/login.csv": 401, "/gone.csv": 410, "/busy.csv": 503}
        path = self.path.partition("?")[0]
        if path == "/broken.csv":
            return self._answer(200, ROWS[:10], len(ROWS))
        if path == "/signed.csv" and (self.command == "HEAD" or "signature=for-get" not in self.path):
            return self._answer(403, b"signed for GET")
        if path in {"/rows.csv", "/signed.csv", "/gr%C3%B6%C3%9Fe.csv"}:
            return self._answer(200, ROWS)
        return self._answer(statuses.get(path, 404), b"no")

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Location", "/rows.csv")
        self.send_header("Content-Length", str(length or len(body)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(site: str) -> ObjectStore:
    return open_store(site)


@pytest.mark.parametrize("key", ["rows.csv", "old.csv", "größe.csv"], ids=["plain", "redirected", "unicode"])
def test_a_file_is_read_whole_and_in_parts(store: ObjectStore, key: str, tmp_path: Path) -> None:
    store.download(key, tmp_path / "new" / "copy.csv")
    with store.stream(key) as stream:
        streamed = b"".join(iter(lambda: stream.read(1000), b""))
    assert store.read(key) == streamed == (tmp_path / "new" / "copy.csv").read_bytes() == ROWS
    assert (store.size(key), store.exists(key)) == (len(ROWS), True)


def test_an_absent_file_is_none_or_an_error(store: ObjectStore, site: str) -> None:
    assert (store.find("no.csv"), store.exists("no.csv")) == (None, False)
    with pytest.raises(AbsentError) as caught:
        store.read("no.csv")
    assert str(caught.value) == f"could not read: {site}/no.csv: HTTP 404 Not Found. Check the address."
    with pytest.raises(AbsentError, match="HTTP 410 Gone"):
        store.stream("gone.csv")


@pytest.mark.parametrize(("key", "status"), [("secret.csv", 403), ("login.csv", 401)])
def test_a_refusal_is_denied(store: ObjectStore, key: str, status: int) -> None:
    with pytest.raises(DeniedError, match=rf"HTTP {status} .*Slipway reads https:// without credentials"):
        store.read(key)


def test_trouble_on_their_side_is_unavailable(store: ObjectStore) -> None:
    with pytest.raises(UnavailableError, match=r"HTTP 503 Service Unavailable\. Run again later"):
        store.read("busy.csv")


def test_a_dead_server_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match=r"Connection refused.*check_connectivity tells which step fails"):
        open_store("http://127.0.0.1:9").read("rows.csv")


def test_nothing_can_be_written(store: ObjectStore, site: str, tmp_path: Path) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.write("a", b""),
        lambda: store.upload("a", tmp_path),
        lambda: store.create("a", b""),
        lambda: store.swap("a", b"", "1"),
        lambda: store.delete("a"),
    ]
    text = f"could not use the store: {site}/a: HTTP is read-only here. Use s3://, gs:// or file:// as a store."
    for call in calls:
        with pytest.raises(ConfigurationError) as caught:
            call()
        assert str(caught.value) == text
    with pytest.raises(ConfigurationError, match="HTTP is read-only here"):
        store.keys("")
