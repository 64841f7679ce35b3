"""What can go wrong between us, an engine and a registry, and what a person then reads."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from slipway.containers import blob_upload
from slipway.containers.registry import Registry as RegistryClient
from slipway.containers.registry_login import Login
from slipway.containers.registry_session import RegistrySession
from slipway.containers.repository import Repository
from slipway.core.errors import AbsentError, ConfigurationError, DeniedError, RejectedError, UnavailableError
from slipway.image.assembly import read_image
from tests.cutting_proxy import CuttingProxy, cutting_proxy
from tests.docker_host import Registry, free_port, registry
from tests.integration.image.image_build import StoredBundle
from tests.parts import miss
from tests.serving_base import SERVING


def client(address: str, path: str = "models/iris", login: Login | None = None) -> RegistryClient:
    return RegistryClient(RegistrySession(Repository(address, path), login, pause_seconds=0.01))


def push(to: RegistryClient, data: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    to.push_blob(digest, io.BytesIO(data), len(data))
    return digest


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(blob_upload, "CHUNK_BYTES", 100_000)
    return 100_000


def test_an_upload_that_is_cut_goes_on_where_the_registry_stands(registry_server: Registry, small_chunks: int) -> None:
    data = os.urandom(1_000_000)
    port = int(registry_server.address.rpartition(":")[2])
    with cutting_proxy(port) as proxy:
        proxy.cuts, proxy.after_bytes = 3, 350_000
        digest = push(client(f"127.0.0.1:{proxy.port}"), data)
        assert proxy.cut == 3
    assert registry_server.blob_path(digest).read_bytes() == data


def test_an_upload_that_breaks_for_good_says_how_far_it_came(registry_server: Registry, small_chunks: int) -> None:
    port = int(registry_server.address.rpartition(":")[2])
    with cutting_proxy(port) as proxy:
        proxy.cuts, proxy.after_bytes = 1000, 250_000
        with pytest.raises(UnavailableError) as raised:
            push_once_then_stop(proxy, client(f"127.0.0.1:{proxy.port}"))
    text = str(raised.value)
    assert "could not push a layer: 127.0.0.1:" in text
    assert "the upload broke 5 times in a row after" in text
    assert "of 1,000,000 bytes" in text
    assert "The next try sends only what the registry does not have yet." in text


def push_once_then_stop(proxy: CuttingProxy, to: RegistryClient) -> None:
    """The first connection carries some of it, those after it nothing."""
    data = os.urandom(1_000_000)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"

    class Source(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 200_000:
                proxy.after_bytes = 0
            return super().read(size)

    to.push_blob(digest, Source(data), len(data))


def test_a_task_that_is_run_again_sends_only_what_is_missing(
    stored: StoredBundle, registry_server: Registry, base: str, tmp_path: Path
) -> None:
    """The first attempt dies before the manifest; the second finds the layers."""
    repository = f"{registry_server.address}/{tmp_path.name.lower()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RegistryClient, "put_manifest", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            stored.build(repository, base)
    sent: list[str] = []
    run = blob_upload.BlobUpload.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blob_upload.BlobUpload, "run", lambda self, *a: (sent.append(self._digest), run(self, *a))[1])
        built = stored.build(repository, base)
    manifest = client(registry_server.address, repository.partition("/")[2]).get_manifest(built.image.partition("@")[2])
    there = {manifest.value["config"]["digest"], *(layer["digest"] for layer in manifest.value["layers"])}
    assert there.isdisjoint(sent)
    assert sent  # what is attached to the image was not there yet


def test_a_registry_that_refuses_the_log_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with registry(tmp_path / "locked", user="slipway", password="right") as locked:
        connection = {"conn_type": "docker", "host": locked.address, "login": "slipway", "password": "wr0ng-secret"}
        monkeypatch.setenv("AIRFLOW_CONN_REG", json.dumps(connection))
        stored = StoredBundle(tmp_path / "store")
        with pytest.raises(DeniedError) as raised:
            stored.build(f"{locked.address}/iris", f"{locked.address}/base@sha256:{'0' * 64}", conn_id="reg")
        text = str(raised.value)
        assert "the registry answered 401 (UNAUTHORIZED: authentication required)" in text
        assert "the log-in of its Airflow connection" in text
        assert "image.conn_id" in text
        assert "wr0ng" not in text
        with pytest.raises(DeniedError, match="to an anonymous client"):
            client(locked.address).has_blob("sha256:" + "0" * 64)
        monkeypatch.setenv("AIRFLOW_CONN_REG", json.dumps(connection | {"password": "right"}))
        with pytest.raises(AbsentError, match="the registry does not have it"):
            stored.build(f"{locked.address}/iris", f"{locked.address}/base@sha256:{'0' * 64}", conn_id="reg")


def test_a_log_in_is_sent_to_its_own_registry_only(stored: StoredBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "docker", "host": "registry.example.com", "login": "slipway", "password": "secret"}
    monkeypatch.setenv("AIRFLOW_CONN_REG", json.dumps(connection))
    with pytest.raises(ConfigurationError) as raised:
        stored.build("127.0.0.1:1/iris", f"127.0.0.1:1/base@sha256:{'0' * 64}", conn_id="reg")
    assert "its host is registry.example.com, and the image's registry is 127.0.0.1:1" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_no_registry_at_all(stored: StoredBundle) -> None:
    port = free_port()
    with pytest.raises(UnavailableError) as raised:
        client(f"127.0.0.1:{port}").find_manifest("x")
    assert f"no answer from http://127.0.0.1:{port}/v2 after 5 tries" in str(raised.value)


def test_no_base_and_no_engine_to_build_it(stored: StoredBundle, registry_server: Registry) -> None:
    with pytest.raises(AbsentError) as raised:
        stored.job(f"{registry_server.address}/deep/iris").ensure_base(stored.key, SERVING)
    text = str(raised.value)
    assert f"could not find the serving base: {registry_server.address}/deep/slipway-serving:onnx-" in text
    assert (
        "Name a Docker engine in image.engine_conn_id for one run, or build and push it by hand: docker build" in text
    )


def test_no_engine(stored: StoredBundle, registry_server: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_GONE", json.dumps({"conn_type": "docker", "host": "unix:///nowhere/docker.sock"}))
    job = stored.job(f"{registry_server.address}/deep/iris", engine_conn_id="gone")
    with pytest.raises(UnavailableError) as raised:
        job.ensure_base(stored.key, SERVING)
    assert "could not reach the Docker engine: unix:///nowhere/docker.sock" in str(raised.value)
    assert "Check that it runs (`docker version` there), and that this user may use it." in str(raised.value)
    job = stored.job(f"{registry_server.address}/deep/iris", engine_conn_id="undefined")
    with pytest.raises(AbsentError, match="could not read the Docker engine: connection undefined: there is none"):
        job.ensure_base(stored.key, SERVING)


@pytest.mark.parametrize("builder", ["daemonless", "engine"])
def test_a_digest_that_changed_under_a_tag(
    builder: str, stored: StoredBundle, registry_server: Registry, base: str, engine_connection: str, tmp_path: Path
) -> None:
    """Somebody pushes another image under the tag of ours; with and without our note of the first one."""
    path = tmp_path.name.lower()
    repository = f"{registry_server.address}/{path}"
    section: dict[str, Any] = {"builder": builder, "engine_conn_id": engine_connection}
    built = stored.build(repository, base, **section)
    there = client(registry_server.address, path)
    other = StoredBundle(tmp_path / "other", "two").build(repository, base, **section)
    there.put_manifest(there.get_manifest(other.image.partition("@")[2]), built.tag)
    with pytest.raises(RejectedError) as raised:
        stored.build(repository, base, **section)
    text = str(raised.value)
    assert f"its digest changed under the tag: {built.image.partition('@')[2]} was pushed, " in text
    assert f"{other.image.partition('@')[2]} is there now" in text
    next((stored.folder / "images").glob(f"{built.tag}*")).unlink()
    with pytest.raises(RejectedError, match="an image under this tag that was not made by this run's recipe"):
        stored.build(repository, base, **section)


def test_a_registry_that_gives_other_bytes_than_asked_for(
    stored: StoredBundle, base: str, registry_server: Registry, tmp_path: Path
) -> None:
    built = stored.build(f"{registry_server.address}/{tmp_path.name.lower()}", base)
    there = client(registry_server.address, tmp_path.name.lower())
    digest = there.get_manifest(built.image.partition("@")[2]).value["config"]["digest"]
    blob = registry_server.blob_path(digest)
    blob.write_bytes((good := blob.read_bytes()) + b" ")
    try:
        with pytest.raises(RejectedError, match="could not use what the registry gave"):
            read_image(there, built.image.partition("@")[2])
    finally:
        blob.write_bytes(good)  # other tests make the same image


def test_a_registry_without_space(tmp_path: Path) -> None:
    """On a file system of 1 MB: the error names the registry and what it said."""
    disk = tmp_path / "small"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        miss("needs to be root, to mount a file system of its own")
    try:
        with registry(disk / "r") as full, pytest.raises(UnavailableError) as raised:
            push(client(full.address), os.urandom(3_000_000))
        assert "could not push a layer" in str(raised.value)
        assert "(UNKNOWN: unknown error, no space left on its disk), 5 times" in str(raised.value)
        assert "Is its disk full?" in str(raised.value)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
