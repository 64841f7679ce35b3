"""The target `docker` on another host over SSH: it serves there, and a host that is not the one we know is not spoken to."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.containers.engine_hook import DockerEngineHook
from slipway.core.errors import DeniedError, UnavailableError
from tests.container_endpoint import Version, endpoint_of_its_own
from tests.docker_host import free_port
from tests.ssh_host import SshHost, ssh_host

CONNECTION = "engine_over_ssh"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshHost]:
    with ssh_host(tmp_path) as made:
        monkeypatch.setenv("HOME", str(made.home))
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        connect(monkeypatch, made.url)
        yield made


def connect(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps({"conn_type": "docker", "host": url}))


def error_of(kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught:
        _ = DockerEngineHook(CONNECTION).client
    assert type(caught.value) is kind
    return str(caught.value)


def test_rollouts_on_another_host(docker_client: Any, versions: list[Version], host: SshHost) -> None:
    host.trust()
    with endpoint_of_its_own(docker_client, CONNECTION) as endpoint:
        serving, changed = endpoint.roll_out(versions[0])
        assert changed
        assert serving.endpoint == f"http://127.0.0.1:{endpoint.port}"
        endpoint.roll_out(versions[1])
        assert endpoint.ask() == (200, versions[1].digest, {"prediction": "setosa"})
        assert endpoint.target().stop()
        assert endpoint.everything() == []


def test_a_host_with_an_unknown_key_is_not_spoken_to(host: SshHost) -> None:
    assert error_of(DeniedError) == (
        f"could not reach the Docker engine: {host.url}: the host's SSH key is unknown. Compare it with the host's own, then "
        f"add it: `ssh-keyscan -p {host.port} 127.0.0.1 >> ~/.ssh/known_hosts`."
    )


def test_a_host_whose_key_changed_is_not_spoken_to(host: SshHost) -> None:
    host.trust()
    known = host.home / ".ssh" / "known_hosts"
    own = (host.home / ".ssh" / "id_ed25519.pub").read_text().split()[1]
    known.write_text(" ".join([*known.read_text().split()[:2], own]) + "\n")
    assert (
        "the host's SSH key is not the one in known_hosts: it was set up anew, or somebody is in between"
        in error_of(DeniedError)
    )


def test_a_user_who_may_not_log_in(host: SshHost) -> None:
    host.trust()
    (host.folder / "authorized_keys").write_text("")
    text = error_of(DeniedError)
    assert text.startswith(f"could not reach the Docker engine: {host.url}: SSH denied the log-in: ")
    assert text.endswith(
        "Put this user's public key into authorized_keys of that account; "
        f"`ssh -p {host.port} {getpass.getuser()}@127.0.0.1 docker version` must answer without a password."
    )
    (host.home / ".ssh" / "id_ed25519").unlink()
    assert "SSH denied the log-in: " in error_of(DeniedError)


def test_a_host_that_does_not_answer(host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    connect(monkeypatch, f"ssh://deploy@127.0.0.1:{port}")
    text = error_of(UnavailableError)
    assert text.startswith(f"could not reach the Docker engine: ssh://deploy@127.0.0.1:{port}: ")
    assert f"Check that `ssh -p {port} deploy@127.0.0.1 docker version` answers for Airflow's user." in text


def test_a_host_without_an_engine(host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.trust()
    with (host.folder / "authorized_keys").open("r+") as keys:
        key = keys.read()
        keys.seek(0)
        keys.write(f'command="false" {key}')
    text = error_of(UnavailableError)
    assert f"Check that `ssh -p {host.port} {getpass.getuser()}@127.0.0.1 docker version` answers" in text
