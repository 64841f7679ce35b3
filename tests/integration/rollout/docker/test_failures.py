"""How a rollout to containers fails: what serves goes on, what never did is gone, and the error says what to do."""

from __future__ import annotations

import io
import json
import logging
import re
import socket
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from slipway.containers.engine_hook import DockerEngineHook
from slipway.core.errors import (
    AbsentError,
    ConfigurationError,
    ConflictError,
    DeniedError,
    RolloutError,
    UnavailableError,
)
from slipway.rollout.docker import target as docker_target
from slipway.rollout.docker.engine import DockerEngine
from slipway.rollout.docker.network import ModelNetwork
from slipway.rollout.docker.servers import Servers
from slipway.rollout.docker.spec import ServerSpec
from tests.bundle_maker import make_bundle
from tests.container_endpoint import Endpoint, Version, run_docker
from tests.docker_host import Registry, registry
from tests.full_engine import full_engine
from tests.serving_images import serving_image

PASSWORD = "a password that nobody may see"


def connect(monkeypatch: pytest.MonkeyPatch, name: str, **fields: Any) -> str:
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "docker", **fields}))
    return name


@pytest.fixture(scope="module")
def hanging(
    docker_client: Any, image_registry: Registry, tmp_path_factory: pytest.TempPathFactory, versions: list[Version]
) -> Version:
    """Never gets ready, and never ends."""
    bundle = tmp_path_factory.mktemp("hanging") / "bundle"
    digest = make_bundle(bundle, name="hanging")
    program = "import time; print('loading', flush=True); time.sleep(600)"
    extra = f"ENTRYPOINT {json.dumps(['python3', '-c', program])}"
    return Version(serving_image(docker_client, image_registry.address, bundle, digest, extra=extra), digest)


def test_no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = connect(monkeypatch, "engine_nowhere", host=f"unix://{tmp_path}/docker.sock")
    with pytest.raises(UnavailableError) as caught:
        DockerEngine(DockerEngineHook(name), "iris").info()
    text = str(caught.value)
    assert text.startswith(f"could not reach the Docker engine: unix://{tmp_path}/docker.sock: ")
    assert "No such file or directory" in text
    assert text.endswith("Check that it runs (`docker version` there), and that this user may use it.")


def test_a_connection_that_is_not_there() -> None:
    with pytest.raises(
        AbsentError, match=r"could not read the Docker engine: connection engine_forgotten: there is none"
    ):
        DockerEngine(DockerEngineHook("engine_forgotten"), "iris").info()


def test_an_image_that_the_registry_does_not_have(
    endpoint: Endpoint, versions: list[Version], image_registry: Registry
) -> None:
    endpoint.roll_out(versions[0])
    image = f"{image_registry.address}/iris@sha256:{'0' * 64}"
    with pytest.raises(AbsentError) as caught:
        endpoint.roll_out(Version(image, versions[1].digest))
    text = str(caught.value)
    assert text.startswith(f"could not pull the image: {image}: ")
    assert "manifest unknown" in text
    assert text.endswith(
        "Check that it exists there; an image that was deleted is built and pushed again by a new run."
    )
    assert endpoint.ask()[1] == versions[0].digest
    assert len(endpoint.containers()) == 1


def test_a_registry_that_wants_a_log_in(
    docker_client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    engine = DockerEngine(DockerEngineHook(connect(monkeypatch, "engine", host="unix:///var/run/docker.sock")), "iris")
    with registry(tmp_path / "registry", user="deploy", password=PASSWORD) as locked:
        right = connect(monkeypatch, "right", host=locked.address, login="deploy", password=PASSWORD)
        wrong = connect(monkeypatch, "wrong", host=locked.address, login="deploy", password="not that")
        elsewhere = connect(monkeypatch, "elsewhere", host="registry.example.com", login="deploy", password=PASSWORD)
        image = small_image(docker_client, locked.address, {"username": "deploy", "password": PASSWORD})
        for conn_id in (None, wrong):
            with pytest.raises(DeniedError) as caught:
                engine.pull(image, conn_id)
            assert str(caught.value).startswith(f"could not pull the image: {image}: ")
            assert "Give image.conn_id a connection whose login may do that" in str(caught.value)
        with pytest.raises(
            ConfigurationError,
            match=rf"its host is registry\.example\.com, and the image's registry is {locked.address}",
        ):
            engine.pull(image, elsewhere)
        assert not engine.has_image(image)
        engine.pull(image, right)
        assert engine.has_image(image)
        engine.forget_image(image)
        assert not engine.has_image(image)
    assert PASSWORD not in caplog.text


def small_image(client: Any, address: str, login: dict[str, str]) -> str:
    """Pushed, and not on the engine any more."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    client.api.import_image_from_data(packed.getvalue(), repository=f"{address}/small", tag="1")
    for line in client.images.push(f"{address}/small", "1", stream=True, decode=True, auth_config=login):
        assert "error" not in line, line
    [image] = client.images.get(f"{address}/small:1").attrs["RepoDigests"]
    client.images.remove(f"{address}/small:1")
    return str(image)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with full_engine(tmp_path / "engine.sock") as url:
        engine = DockerEngine(DockerEngineHook(connect(monkeypatch, "full", host=url)), "iris")
        with pytest.raises(UnavailableError) as caught:
            engine.pull(f"registry.example.com/iris@sha256:{'0' * 64}", None)
    text = str(caught.value)
    assert "no space left on device" in text
    assert text.endswith("Free space on that host (`docker system df` shows what uses it), then clear this task.")


def test_a_port_that_another_container_has(endpoint: Endpoint, versions: list[Version]) -> None:
    labels = ("--label", f"slipway.model={endpoint.model}", "--label", "slipway.role=stranger")
    stranger = f"stranger-{endpoint.model}"
    run_docker("run", "-d", *labels, "--name", stranger, "-p", f"0.0.0.0:{endpoint.port}:80", "nginx:1.28-bookworm")
    with pytest.raises(ConflictError) as caught:
        endpoint.roll_out(versions[0])
    assert str(caught.value) == (
        f"could not open the endpoint: 127.0.0.1:{endpoint.port} on 127.0.0.1: the container {stranger} has the port; "
        "it was left alone. Choose another port in the model file, or end what has this one."
    )
    assert endpoint.everything() == [stranger]
    assert endpoint.client.containers.get(stranger).status == "running"


def test_a_port_that_another_program_has(endpoint: Endpoint, versions: list[Version]) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", endpoint.port))
        stranger.listen()
        text = rf"127\.0\.0\.1:{endpoint.port} on 127\.0\.0\.1: another program on that host has the port; it was left"
        with pytest.raises(ConflictError, match=text):
            endpoint.roll_out(versions[0])
    assert endpoint.everything() == []


def test_a_proxy_that_cannot_start_for_another_reason_is_not_taken_for_a_taken_port(
    endpoint: Endpoint, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ConflictError("could not start the container", on="c", why="removal is in progress", fix="Clear this task.")

    def start(*_: Any) -> None:
        raise error

    monkeypatch.setattr(DockerEngine, "start", start)
    with pytest.raises(ConflictError) as caught:
        endpoint.roll_out(versions[0])
    assert caught.value is error
    assert endpoint.everything() == []


def test_a_version_that_never_gets_ready(endpoint: Endpoint, versions: list[Version], hanging: Version) -> None:
    serving, _ = endpoint.roll_out(versions[0])
    with pytest.raises(RolloutError) as caught:
        endpoint.roll_out(hanging, timeout_seconds=15)
    text = str(caught.value)
    name = endpoint.spec(hanging).container
    assert text.startswith(
        f"could not roll out the new version: {name} on 127.0.0.1: the server was not ready after 15 s; last seen: no answer: "
    )
    assert "its last lines:\nloading\n" in text
    assert f"({versions[0].digest[7:19]} keeps serving)" in text
    assert text.endswith("Mend what the last lines name, then clear this task.")
    assert endpoint.ask()[1] == versions[0].digest
    assert endpoint.containers() == {serving.container: "running"}


def test_an_image_that_holds_another_bundle_than_was_decided(endpoint: Endpoint, versions: list[Version]) -> None:
    """Also of a first rollout nothing is left."""
    one, two = versions
    with pytest.raises(RolloutError) as caught:
        endpoint.roll_out(Version(two.image, one.digest))
    text = str(caught.value)
    assert "the server ended with exit code 1; its last lines:\n" in text
    assert re.search(rf"manifest\.json.* {two.digest}", text), text
    assert "(nothing was serving before)" in text
    assert endpoint.everything() == []


def test_too_little_memory(endpoint: Endpoint, versions: list[Version]) -> None:
    with pytest.raises(RolloutError) as caught:
        endpoint.roll_out(versions[0], memory_bytes=24 * 1024**2)
    assert "the server was ended because it needs more memory than its 24 MB (deploy.docker.memory)" in str(
        caught.value
    )
    assert endpoint.everything() == []


def test_an_edited_proxy_configuration_is_not_guessed_at(endpoint: Endpoint, versions: list[Version]) -> None:
    endpoint.roll_out(versions[0])
    proxy = f"slipway-{endpoint.model}-proxy"
    edit = ["docker", "exec", "-i", "--user", "0:0", proxy, "sh", "-c", "cat > /etc/slipway/nginx.conf"]
    subprocess.run(edit, input=b"# my own\n", check=True, timeout=30)
    text = f"could not read which version is in service: {proxy}: the proxy's configuration is not as Slipway wrote it"
    with pytest.raises(ConfigurationError, match=text):
        endpoint.roll_out(versions[1])
    assert endpoint.ask()[1] == versions[0].digest


def test_a_rollout_that_fails_leaves_what_another_run_switched_to_meanwhile(
    endpoint: Endpoint, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first rollout and a later one: another run brings its own version into service while this one waits."""
    one, two = versions
    broken = Version(two.image, one.digest)  # the image holds another bundle: it never gets ready
    wait, others = Servers.wait_until_ready, [one, two]

    def another_run_is_faster(servers: Servers, spec: ServerSpec, timeout_seconds: float) -> None:
        monkeypatch.setattr(Servers, "wait_until_ready", wait)
        endpoint.roll_out(others.pop(0), keep=0)
        wait(servers, spec, timeout_seconds)

    for version in (one, two):
        monkeypatch.setattr(Servers, "wait_until_ready", another_run_is_faster)
        with pytest.raises(RolloutError):
            endpoint.roll_out(broken, timeout_seconds=5)
        assert endpoint.ask()[1] == version.digest
        assert endpoint.containers() == {endpoint.spec(version).container: "running"}


def test_a_server_that_cannot_be_reached_by_the_proxy_tells_its_last_lines(
    endpoint: Endpoint, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_target, "PUBLIC_PORT", 9)
    with pytest.raises(RolloutError) as caught:
        endpoint.roll_out(versions[0])
    assert "does not answer through the proxy: no answer: " in str(caught.value)
    assert "; the new server's last lines:\n" in str(caught.value)
    assert endpoint.everything() == []


def test_a_container_that_was_removed_meanwhile_is_named_as_such(endpoint: Endpoint, versions: list[Version]) -> None:
    endpoint.roll_out(versions[0])
    servers = Servers(endpoint.engine(), ModelNetwork(endpoint.engine(), endpoint.model))
    gone = endpoint.spec(versions[1])
    assert servers.ask(gone.container, "127.0.0.1", 8080, "/", "x", seconds=0) == (2, "")
    with pytest.raises(RolloutError, match="somebody removed its container"):
        servers.wait_until_ready(gone, 5)
