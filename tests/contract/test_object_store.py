"""Every store keeps the same promises: a folder, S3 (moto on a socket) and Google Cloud Storage (its emulator on a socket)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slipway.core.errors import AbsentError, ConflictError
from slipway.storage.object_store import ObjectStore, open_object, open_store
from tests.integration.storage import emulators

BIG_BYTES = 20 * 1024 * 1024  # more than one part of a multipart or chunked upload
UNICODE_KEY = "größe/日本 +&=@/ä.json"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with emulators.aws() as url:
        emulators.aws_client(url, "s3").create_bucket(Bucket="contract")
        yield url


@pytest.fixture(scope="module")
def gs() -> Iterator[str]:
    with emulators.google("contract") as url:
        yield url


@pytest.fixture(params=["file", "s3", "gs"])
def scheme(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "s3":
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", emulators.aws_connection(request.getfixturevalue("s3")))
    if request.param == "gs":
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", request.getfixturevalue("gs"))
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", emulators.google_connection())
    return str(request.param)


@pytest.fixture
def uri(scheme: str, tmp_path: Path) -> str:
    """A root of the test's own."""
    return str(tmp_path / "root") if scheme == "file" else f"{scheme}://contract/{tmp_path.name}"


@pytest.fixture
def store(uri: str) -> ObjectStore:
    return open_store(uri)


def test_what_is_written_is_read_back_with_its_size(store: ObjectStore) -> None:
    store.write("a/b.json", b"one")
    assert (store.read("a/b.json"), store.size("a/b.json"), store.exists("a/b.json")) == (b"one", 3, True)
    with store.stream("a/b.json") as stream:
        assert (stream.read(2), stream.read()) == (b"on", b"e")


def test_a_write_replaces_and_changes_the_version(store: ObjectStore) -> None:
    store.write("a", b"one")
    before = store.find("a")
    store.write("a", b"two")
    after = store.find("a")
    assert before is not None
    assert after is not None
    assert (before.data, after.data) == (b"one", b"two")
    assert before.version != after.version


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.write("empty", b"")
    assert (store.exists("empty"), store.size("empty"), store.read("empty")) == (True, 0, b"")


def test_an_absent_object_is_none_to_find_and_an_error_to_read(store: ObjectStore, tmp_path: Path) -> None:
    assert (store.find("no/such"), store.exists("no/such")) == (None, False)
    reads: list[Callable[[], object]] = [
        lambda: store.read("no/such"),
        lambda: store.size("no/such"),
        lambda: store.stream("no/such").read(),
        lambda: store.download("no/such", tmp_path / "copy"),
    ]
    for read in reads:
        with pytest.raises(AbsentError, match=r"no/such"):
            read()
    assert not (tmp_path / "copy").exists()


def test_a_key_may_hold_any_letters(store: ObjectStore) -> None:
    store.write(UNICODE_KEY, b"ja")
    assert (store.read(UNICODE_KEY), list(store.keys("größe/"))) == (b"ja", [UNICODE_KEY])
    store.delete(UNICODE_KEY)
    assert not store.exists(UNICODE_KEY)


def test_twenty_megabytes_go_up_and_come_down_unchanged(store: ObjectStore, tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "new" / "copy"
    source.write_bytes(os.urandom(BIG_BYTES))
    store.upload("big", source)
    store.download("big", copy)
    digest = hashlib.sha256()
    with store.stream("big") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    assert store.size("big") == BIG_BYTES
    assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest() == digest.digest()
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_create_makes_an_object_once(store: ObjectStore) -> None:
    version = store.create("once", b"first")
    with pytest.raises(ConflictError, match=r"once.*Read it again and decide anew"):
        store.create("once", b"second")
    found = store.find("once")
    assert found is not None
    assert (found.data, found.version) == (b"first", version)


def test_swap_wants_the_version_that_stands_there(store: ObjectStore) -> None:
    first = store.create("turn", b"one")
    second = store.swap("turn", b"two", first)
    with pytest.raises(ConflictError, match="turn"):
        store.swap("turn", b"three", first)
    assert store.read("turn") == b"two"
    assert store.swap("turn", b"four", second) not in {first, second}


def test_swap_of_what_is_gone_is_a_conflict(store: ObjectStore) -> None:
    version = store.create("gone", b"one")
    store.delete("gone")
    with pytest.raises(ConflictError, match="gone"):
        store.swap("gone", b"two", version)
    assert not store.exists("gone")


def test_of_eight_concurrent_swaps_one_wins(uri: str, store: ObjectStore) -> None:
    version = store.create("champion", b"none")
    stores = [open_store(uri) for _ in range(8)]

    def attempt(number: int) -> bytes | None:
        data = b"run %d" % number
        try:
            stores[number].swap("champion", data, version)
        except ConflictError:
            return None
        return data

    with ThreadPoolExecutor(8) as pool:
        winners = [data for data in pool.map(attempt, range(8)) if data]
    assert winners == [store.read("champion")]


def test_of_eight_concurrent_creations_one_wins(uri: str, store: ObjectStore) -> None:
    stores = [open_store(uri) for _ in range(8)]

    def attempt(number: int) -> bytes | None:
        data = b"run %d" % number
        try:
            stores[number].create("release", data)
        except ConflictError:
            return None
        return data

    with ThreadPoolExecutor(8) as pool:
        winners = [data for data in pool.map(attempt, range(8)) if data]
    assert winners == [store.read("release")]


def test_delete_is_repeatable_and_may_insist_on_a_version(store: ObjectStore) -> None:
    store.delete("never/was")
    first = store.create("lease", b"one")
    second = store.swap("lease", b"two", first)
    with pytest.raises(ConflictError, match="lease"):
        store.delete("lease", first)
    assert store.read("lease") == b"two"
    store.delete("lease", second)
    assert not store.exists("lease")
    store.delete("lease", second)


def test_keys_come_in_lexical_order_below_a_prefix(store: ObjectStore) -> None:
    for key in ("releases/000010.json", "releases/000002.json", "runs/a", "releases/x/y", "releases-old", "Z"):
        store.write(key, b"")
    assert list(store.keys("")) == [
        "Z",
        "releases-old",
        "releases/000002.json",
        "releases/000010.json",
        "releases/x/y",
        "runs/a",
    ]
    assert list(store.keys("releases/0000")) == ["releases/000002.json", "releases/000010.json"]
    assert list(store.keys("nothing/")) == []


def test_two_roots_in_one_bucket_do_not_see_each_other(uri: str) -> None:
    open_store(f"{uri}/one").write("key", b"1")
    assert list(open_store(f"{uri}/two").keys("")) == []
    assert open_store(f"{uri}/two").find("key") is None


def test_a_whole_uri_leads_to_the_same_object(uri: str, store: ObjectStore) -> None:
    store.write("inbox/rows.csv", b"a,b\n")
    source, key = open_object(f"{uri}/inbox/rows.csv")
    assert source.read(key) == b"a,b\n"


def test_opening_a_store_connects_to_nothing(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a connection id nobody defined: whoever looked it up would fail."""
    monkeypatch.setattr("socket.socket.connect", _no_connecting)
    opened = open_store(f"{scheme}://nowhere/prefix", "no_such_connection")
    assert opened.uri.endswith("/prefix")
    assert not {"client", "bucket"} & set(vars(opened))


def _no_connecting(*_arguments: object) -> None:
    raise AssertionError("a constructor connected")
