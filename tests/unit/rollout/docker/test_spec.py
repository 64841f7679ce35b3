"""What a version's container is made of, what makes it another container, and what the engine's words mean."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from slipway.containers.engine_errors import translate_saying
from slipway.containers.engine_hook import DockerEngineHook
from slipway.core.deploy_section import DockerTarget
from slipway.core.errors import AbsentError, ConflictError, DeniedError, SlipwayError, UnavailableError
from slipway.rollout.docker.network import address_pool
from slipway.rollout.docker.spec import ServerSpec, memory_bytes
from slipway.rollout.served import ServerAccess

SPEC = ServerSpec("iris", f"r/iris@sha256:{'a' * 64}", f"sha256:{'b' * 64}", 2, None, 1024**3, 2.0)
ACCESS = ServerAccess(("sha256:aa", "sha256:bb"), 0, 100)


@pytest.mark.parametrize(
    "change",
    [
        {"image": f"r/iris@sha256:{'c' * 64}"},
        {"digest": f"sha256:{'c' * 64}"},
        {"workers": 3},
        {"access": ACCESS},
        {"memory_bytes": 1},
        {"cpus": 1.0},
    ],
)
def test_whatever_is_served_otherwise_is_another_container(change: dict[str, Any]) -> None:
    assert replace(SPEC, **change).container != SPEC.container
    assert replace(SPEC).container == SPEC.container
    assert SPEC.container.startswith("slipway-iris-")


def test_where_it_runs_does_not_make_it_another() -> None:
    configs = [SPEC.config("net", f"10.0.0.{number}", pulled=bool(number)) for number in range(2)]
    assert {config["Labels"]["slipway.spec"] for config in configs} == {SPEC.identity}


def test_who_may_ask() -> None:
    is_open, closed = (
        SPEC.config("n", "10.0.0.3", pulled=True),
        replace(SPEC, access=ACCESS).config("n", "1", pulled=True),
    )
    assert is_open["Cmd"] == ["serve", "--open"]
    assert closed["Cmd"] == ["serve"]
    assert "SLIPWAY_API_KEY_HASHES=sha256:aa sha256:bb" in closed["Env"]
    limited = replace(SPEC, access=replace(ACCESS, requests_per_second=2.5)).config("n", "1", pulled=True)
    assert limited["Cmd"] == ["serve", "--requests-per-second", "2.5", "--burst", "100"]


def test_units() -> None:
    assert (memory_bytes("512m"), memory_bytes("2G"), memory_bytes("7k")) == (512 * 1024**2, 2 * 1024**3, 7168)


@pytest.mark.parametrize("subnet", ["172.18.0.0/16", "192.168.16.0/20", "10.5.0.0/24"])
def test_the_engine_hands_out_no_address_that_we_do(subnet: str) -> None:
    pool = address_pool(IPv4Network(subnet))
    theirs = IPv4Network(pool["IPRange"])
    assert IPv4Network(pool["Subnet"])[1].compressed == pool["Gateway"]
    assert theirs.subnet_of(IPv4Network(subnet))
    ours = [IPv4Network(subnet)[number] for number in range(2, IPv4Network(subnet).num_addresses // 2)]
    assert not any(address in theirs for address in (ours[0], ours[-1]))


@pytest.mark.parametrize(
    ("saying", "status", "kind"),
    [
        ("write /var/lib/docker/tmp/x: no space left on device", None, UnavailableError),
        ("Bind for 0.0.0.0:80 failed: port is already allocated", 500, ConflictError),
        ("listen tcp4 127.0.0.1:80: bind: address already in use", 500, ConflictError),
        ("pull access denied for iris, repository does not exist or may require 'docker login'", 404, DeniedError),
        ('Head "https://r/v2/": no basic auth credentials', 500, DeniedError),
        ("manifest for r/iris@sha256:0 not found: manifest unknown: manifest unknown", 404, AbsentError),
        ("dial tcp: lookup r on 10.0.0.2:53: no such host", 500, UnavailableError),
        ("something new", 404, AbsentError),
        ("something new", 409, ConflictError),
        ("something new", 500, UnavailableError),
        ("something new", None, UnavailableError),
    ],
)
def test_what_the_engine_says(saying: str, status: int | None, kind: type[SlipwayError]) -> None:
    found = translate_saying(saying, "could not pull the image", "r/iris", status)
    assert type(found) is kind
    assert str(found).startswith(f"could not pull the image: r/iris: {saying}. ")


def test_long_sayings_are_cut_short() -> None:
    assert len(str(translate_saying("x" * 5000, "f", "o"))) < 600


def test_a_hook_connects_to_nothing_until_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.sdk.BaseHook.get_connection", lambda _: pytest.fail("nothing may be looked up"))
    DockerEngineHook("docker_default")


def test_importing_the_operators_is_cheap() -> None:
    code = (
        "import sys, slipway.rollout.docker.operators; print([m for m in ('docker', 'paramiko') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address", "localhost"),
        ("address", "256.0.0.1"),
        ("address", "127.0.0.1; x"),
        ("memory", "512"),
        ("memory", "0m"),
        ("memory", "1.5g"),
        ("cpus", 0),
        ("keep", -1),
        ("proxy_image", "nginx"),
        ("proxy_image", "nginx:1 x"),
        ("port", 0),
    ],
)
def test_a_model_file_says_what_can_be_meant_only(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        DockerTarget(**{field: value})


def test_the_endpoint_is_for_its_own_host_unless_the_model_file_says_more() -> None:
    assert DockerTarget().address == "127.0.0.1"
    assert DockerTarget(address="0.0.0.0").address == "0.0.0.0"
    assert DockerTarget(proxy_image=f"r.example.com:5000/nginx@sha256:{'a' * 64}")
