"""A rollout to containers that is killed after any of its steps, and then repeated, ends like one that was not."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from slipway.core.errors import RolloutError
from slipway.rollout.docker.engine import DockerEngine
from tests.container_endpoint import Endpoint, Version, run_docker, wait_until_it_answers

# What changes something on the engine.
CHANGES = (
    "create_network",
    "remove_network",
    "create_volume",
    "create_container",
    "write_file",
    "start",
    "run",
    "set_restart",
    "stop",
    "remove",
)


def roll_out_and_die(endpoint: Endpoint, version: Version, survived: list[str]) -> str | None:
    """Roll out in a process that is killed after its first change that is not in `survived`; returns that change, or None."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            die_after_a_change(survived, writer)
            endpoint.roll_out(version, keep=0)
        except BaseException:
            traceback.print_exc()
            os._exit(2)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        change = stream.read()
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) is bool(change)
    assert change or os.WEXITSTATUS(status) == 0, "the rollout failed"
    return change or None


def die_after_a_change(survived: list[str], writer: int) -> None:
    def fatal(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: DockerEngine, *arguments: Any, **named: Any) -> Any:
            result = method(self, *arguments, **named)
            what = arguments[1][0] if method.__name__ == "run" else arguments[0]
            what = arguments[2] if method.__name__ == "write_file" else what
            change = f"{method.__name__} {what}"
            looks = change in {"run python3", "run nginx"} or (method.__name__.startswith("remove") and not result)
            if not looks and change not in survived:
                os.write(writer, change.encode())
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for name in CHANGES:
        setattr(DockerEngine, name, fatal(getattr(DockerEngine, name)))


def kinds(changes: list[str]) -> list[str]:
    return [change.partition(" ")[0] for change in changes]


def assert_serves_alone(endpoint: Endpoint, version: Version) -> None:
    assert endpoint.ask() == (200, version.digest, {"prediction": "setosa"})
    assert endpoint.containers() == {endpoint.spec(version).container: "running"}
    proxy = f"slipway-{endpoint.model}-proxy"
    assert endpoint.containers("proxy") == {proxy: "running"}
    network = f"slipway-{endpoint.model}"
    assert sorted(endpoint.everything()) == sorted([endpoint.spec(version).container, proxy, network, proxy])


def test_a_first_rollout(endpoint: Endpoint, versions: list[Version]) -> None:
    """Each attempt finds what the one before it left, and is killed after a change that none was killed after before."""
    deaths: list[str] = []
    while change := roll_out_and_die(endpoint, versions[0], deaths):
        deaths.append(change)
    assert_serves_alone(endpoint, versions[0])
    # The probe of the network, which is removed; the network; the proxy, which is made anew without a configuration; the
    # server; nginx's new configuration, put in place and loaded.
    for kind, count in (("create_network", 2), ("create_volume", 1), ("create_container", 2), ("start", 2), ("run", 2)):
        assert kinds(deaths).count(kind) == count, deaths
    assert {"write_file", "set_restart", "remove_network", "remove"} <= set(kinds(deaths))


def test_a_replacement(endpoint: Endpoint, versions: list[Version]) -> None:
    """Killed after each change of its own, and finished by a retry each time."""
    endpoint.roll_out(versions[0], keep=0)
    deaths: list[str] = []
    for turn in range(1, 20):
        version = versions[turn % 2]
        # Names of containers differ from turn to turn; the changes are the same.
        survived = [change.replace("{new}", endpoint.spec(version).container) for change in deaths]
        survived = [change.replace("{old}", endpoint.spec(versions[1 - turn % 2]).container) for change in survived]
        change = roll_out_and_die(endpoint, version, survived)
        if change is None:
            break
        change = change.replace(endpoint.spec(version).container, "{new}")
        deaths.append(change.replace(endpoint.spec(versions[1 - turn % 2]).container, "{old}"))
        assert endpoint.ask()[0] == 200
        endpoint.roll_out(version, keep=0)
        assert_serves_alone(endpoint, version)
    assert_serves_alone(endpoint, version)
    expected = ["create_container", "start", "set_restart", "write_file", "run", "run", "stop", "remove"]
    assert kinds(deaths) == expected, deaths


def test_undo_after_a_kill_leaves_the_champion_alone(endpoint: Endpoint, versions: list[Version]) -> None:
    """The retry does not come: the run is undone instead, with two containers running and nginx half switched."""
    endpoint.roll_out(versions[0], keep=0)
    new = endpoint.spec(versions[1]).container
    survived = [f"create_container {new}", f"start {new}", f"set_restart {new}", "write_file next.conf"]
    assert roll_out_and_die(endpoint, versions[1], survived) == "run mv"
    assert len(endpoint.running()) == 2
    endpoint.roll_out(versions[0], keep=0)
    assert_serves_alone(endpoint, versions[0])


def test_a_version_that_was_written_but_never_served_does_not_stay_on_the_disk(
    endpoint: Endpoint, versions: list[Version]
) -> None:
    """Killed before nginx was told; then the new version breaks, and the host restarts."""
    endpoint.roll_out(versions[0], keep=0)
    new = endpoint.spec(versions[1]).container
    survived = [f"create_container {new}", f"start {new}", f"set_restart {new}", "write_file next.conf"]
    assert roll_out_and_die(endpoint, versions[1], survived) == "run mv"
    run_docker("rm", "-f", new)
    broken = Version(versions[1].image, versions[0].digest)  # the image holds another bundle: it never starts
    active = endpoint.target().find_active()
    assert active is not None
    assert active.digest == versions[0].digest
    with pytest.raises(RolloutError, match=f"{versions[0].digest[7:19]} keeps serving"):
        endpoint.roll_out(broken)
    proxy = f"slipway-{endpoint.model}-proxy"
    first_line = run_docker("exec", proxy, "head", "-1", "/etc/slipway/nginx.conf")
    assert f'"container": "{active.container}"' in first_line
    run_docker("restart", "-t", "5", proxy)
    wait_until_it_answers(endpoint, versions[0].digest)
    assert_serves_alone(endpoint, versions[0])
