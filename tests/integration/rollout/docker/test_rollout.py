"""The target `docker` on a real engine: what is started, how it is kept in, and that it survives what may happen to it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from slipway.access.api_keys import ApiKeys
from slipway.core.errors import ConfigurationError, ConflictError, RolloutError
from slipway.rollout.served import ServerAccess
from tests.container_endpoint import BODY, Endpoint, Version, run_docker, wait_until_it_answers
from tests.docker_host import NGINX_IMAGE, free_port


def inspect(endpoint: Endpoint, name: str) -> dict[str, Any]:
    found: dict[str, Any] = endpoint.client.api.inspect_container(name)
    return found


def wait_until_it_restarted(endpoint: Endpoint, name: str, seconds: float = 60) -> None:
    """Asked at once, a server that has not ended yet would still answer."""
    deadline = time.monotonic() + seconds
    while inspect(endpoint, name)["RestartCount"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_rollout_repetition_and_rollback(endpoint: Endpoint, versions: list[Version]) -> None:
    one, two = versions
    first, changed = endpoint.roll_out(one)
    assert changed
    assert endpoint.ask() == (200, one.digest, {"prediction": "setosa"})
    assert first.endpoint == f"http://127.0.0.1:{endpoint.port}"
    before = {name: inspect(endpoint, name)["State"]["Pid"] for name in endpoint.running()}
    assert endpoint.roll_out(one) == (first, False)
    assert {name: inspect(endpoint, name)["State"]["Pid"] for name in endpoint.running()} == before

    second, changed = endpoint.roll_out(two)
    assert changed
    assert endpoint.ask()[1] == two.digest
    assert endpoint.containers() == {first.container: "exited", second.container: "running"}

    created = inspect(endpoint, first.container)["Created"]
    assert endpoint.roll_out(one)[0] == first
    assert endpoint.ask()[1] == one.digest
    assert inspect(endpoint, first.container)["Created"] == created, "the kept container was not used"
    assert endpoint.containers() == {first.container: "running", second.container: "exited"}

    third, _ = endpoint.roll_out(one, cpus=0.5)
    assert endpoint.containers() == {third.container: "running", first.container: "exited"}
    assert endpoint.target().stop()
    assert endpoint.everything() == []
    assert not endpoint.target().stop()


def test_containers_may_do_no_more_than_they_must(endpoint: Endpoint, versions: list[Version]) -> None:
    serving, _ = endpoint.roll_out(versions[0])
    for name, uid in ((serving.container, "10001"), (f"slipway-{endpoint.model}-proxy", "10002")):
        found = inspect(endpoint, name)
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["Memory"] == 512 * 1024**2 == host["MemorySwap"]
        assert host["PidsLimit"] > 0
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        assert host["LogConfig"]["Config"]["max-size"] == "10m"
        status = run_docker("exec", name, "cat", "/proc/1/status")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert set(fields["Uid"].split()) == {uid}
        assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
        assert fields["NoNewPrivs"] == "1"
        with pytest.raises(Exception, match="exit status"):
            run_docker("exec", name, "sh", "-c", "echo x > /etc/slipway-was-here")
    server = inspect(endpoint, serving.container)
    assert server["HostConfig"]["NanoCpus"] == 1_000_000_000
    assert server["HostConfig"]["PortBindings"] in ({}, None)
    assert server["Config"]["Image"] == versions[0].image
    assert "@sha256:" in server["Config"]["Image"]
    # nginx itself may not write where its configuration is.
    with pytest.raises(Exception, match="exit status"):
        run_docker("exec", f"slipway-{endpoint.model}-proxy", "sh", "-c", "echo x > /etc/slipway/nginx.conf")
    assert run_docker("exec", serving.container, "python3", "-c", server["Config"]["Healthcheck"]["Test"][-1]) == ""


def test_a_server_that_crashes_restarts_at_its_address_whoever_came_meanwhile(
    endpoint: Endpoint, versions: list[Version]
) -> None:
    serving, _ = endpoint.roll_out(versions[0])
    network = f"slipway-{endpoint.model}"
    address = inspect(endpoint, serving.container)["NetworkSettings"]["Networks"][network]["IPAddress"]
    run_docker("exec", serving.container, "python3", "-c", "import os; os.kill(1, 3)")
    wait_until_it_restarted(endpoint, serving.container)
    wait_until_it_answers(endpoint, versions[0].digest)
    assert inspect(endpoint, serving.container)["RestartCount"] == 1

    # As after a restart of the host: all is down, others start first and are given addresses.
    proxy = f"slipway-{endpoint.model}-proxy"
    run_docker("stop", "-t", "5", serving.container, proxy)
    labels = ["--label", f"slipway.model={endpoint.model}", "--label", "slipway.role=stranger"]
    for _ in range(2):
        run_docker("run", "-d", *labels, "--network", network, "--entrypoint", "sleep", "nginx:1.28-bookworm", "60")
    run_docker("start", proxy)
    run_docker("start", serving.container)
    wait_until_it_answers(endpoint, versions[0].digest)
    assert inspect(endpoint, serving.container)["NetworkSettings"]["Networks"][network]["IPAddress"] == address


def test_a_proxy_that_crashes_restarts_also_after_it_was_reloaded(endpoint: Endpoint, versions: list[Version]) -> None:
    endpoint.roll_out(versions[0])
    endpoint.roll_out(versions[1])
    proxy = f"slipway-{endpoint.model}-proxy"
    run_docker("exec", "--user", "10002:10002", proxy, "sh", "-c", "kill -TERM 1")
    wait_until_it_restarted(endpoint, proxy)
    wait_until_it_answers(endpoint, versions[1].digest)
    assert inspect(endpoint, proxy)["RestartCount"] == 1


def test_without_a_server_the_proxy_says_so_and_large_bodies_get_the_server_s_own_answer(
    endpoint: Endpoint, versions: list[Version]
) -> None:
    serving, _ = endpoint.roll_out(versions[0])
    url = f"http://127.0.0.1:{endpoint.port}/predict"
    request = urllib.request.Request(url, b"[" * (17 * 1024**2), {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    assert caught.value.code == 413
    assert "16777216" in json.load(caught.value)["error"]
    run_docker("stop", "-t", "5", serving.container)
    with pytest.raises(urllib.error.HTTPError) as caught:
        endpoint.ask()
    assert caught.value.code == 503
    assert caught.value.headers["Retry-After"] == "1"
    assert "the model server does not answer" in caught.value.read().decode()
    # A rollout of the same version brings it back.
    assert endpoint.roll_out(versions[0])[1]
    assert endpoint.ask()[1] == serving.digest


def test_other_api_keys_are_a_new_container_and_the_old_key_is_denied(
    endpoint: Endpoint, versions: list[Version]
) -> None:
    for key in ("first key", "second key"):
        access = ServerAccess(ApiKeys.of(key).hashes, requests_per_second=5, burst=50)
        serving, _ = endpoint.roll_out(versions[0], access=access)
        assert status_of(endpoint, key) == 200
    assert status_of(endpoint, "first key") == 401
    assert "second key" not in str(inspect(endpoint, serving.container))


def status_of(endpoint: Endpoint, key: str) -> int:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    url = f"http://127.0.0.1:{endpoint.port}/predict"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, BODY.encode(), headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_running_endpoint_is_not_moved_to_another_port(endpoint: Endpoint, versions: list[Version]) -> None:
    endpoint.roll_out(versions[0])
    own, endpoint.port = endpoint.port, endpoint.port + 1
    text = (
        rf"could not move the endpoint: 127\.0\.0\.1:{own} on 127\.0\.0\.1: the model file says 127\.0\.0\.1:{own + 1}"
    )
    for version in versions:
        with pytest.raises(ConfigurationError, match=text):
            endpoint.roll_out(version)
    endpoint.port = own
    assert endpoint.ask()[1] == versions[0].digest
    assert len(endpoint.containers()) == 1


def test_a_network_that_was_removed_while_all_was_down_is_made_again(
    endpoint: Endpoint, versions: list[Version]
) -> None:
    serving, _ = endpoint.roll_out(versions[0])
    run_docker("stop", "-t", "5", serving.container, f"slipway-{endpoint.model}-proxy")
    run_docker("network", "rm", f"slipway-{endpoint.model}")
    assert endpoint.roll_out(versions[0]) == (serving, True)
    assert endpoint.ask()[1] == versions[0].digest


@pytest.mark.parametrize("kind", ["container", "network", "volume", "server"])
def test_what_has_our_name_but_not_our_label_is_left_alone(
    endpoint: Endpoint, versions: list[Version], kind: str
) -> None:
    server = endpoint.spec(versions[0]).container
    proxy = f"slipway-{endpoint.model}-proxy"
    name = {"container": proxy, "network": f"slipway-{endpoint.model}", "volume": proxy, "server": server}[kind]
    what = "container" if kind == "server" else kind
    making = ("--label", "slipway.model=another", name)
    if what == "container":
        run_docker("create", "--label", "slipway.model=another", "--name", name, "nginx:1.28-bookworm")
    else:
        run_docker(what, "create", *making)
    try:
        with pytest.raises(ConflictError) as caught:
            endpoint.roll_out(versions[0])
        assert str(caught.value) == (
            f"could not use the {what}: {name} on 127.0.0.1: it lacks the label slipway.model={endpoint.model}, so somebody"
            f" else made it; it was left alone. Rename or remove that {what}, or give the model another name."
        )
        assert endpoint.everything() == []
        if kind != "server":  # a server's name is looked for by its label
            with pytest.raises(ConflictError):
                endpoint.target().stop()
        assert name in run_docker(what, "ls", *(["-a"] if what == "container" else []), "--format", "{{json .}}")
    finally:
        run_docker(what, "rm", name)


def test_a_proxy_that_was_removed_to_move_it_comes_back_with_what_it_served(
    endpoint: Endpoint, versions: list[Version]
) -> None:
    """What `could not move the endpoint` advises; the next rollout fails, and the version before it still serves."""
    endpoint.roll_out(versions[0])
    run_docker("rm", "-f", f"slipway-{endpoint.model}-proxy")
    endpoint.port = free_port()
    with pytest.raises(RolloutError, match=f"{versions[0].digest[7:19]} keeps serving"):
        endpoint.roll_out(Version(versions[1].image, versions[0].digest))
    assert endpoint.ask()[1] == versions[0].digest


def test_what_somebody_else_runs_from_our_image_is_left_alone(endpoint: Endpoint, versions: list[Version]) -> None:
    """It has our labels if the image has them."""
    labels = ("--label", f"slipway.model={endpoint.model}", "--label", "slipway.role=server")
    stranger = f"stranger-{endpoint.model}"
    run_docker("run", "-d", *labels, "--name", stranger, "--entrypoint", "sleep", NGINX_IMAGE, "600")
    endpoint.roll_out(versions[0], keep=0)
    endpoint.roll_out(versions[1], keep=0)
    assert endpoint.target().stop()
    assert endpoint.everything() == [stranger]
    assert endpoint.client.containers.get(stranger).status == "running"


def test_another_image_of_the_proxy_is_told_and_used_once_it_does_not_run(
    endpoint: Endpoint, versions: list[Version], caplog: pytest.LogCaptureFixture
) -> None:
    serving, _ = endpoint.roll_out(versions[0])
    proxy, another = f"slipway-{endpoint.model}-proxy", f"{endpoint.model}-nginx:1"
    run_docker("tag", NGINX_IMAGE, another)
    try:
        endpoint.proxy_image = another
        assert endpoint.roll_out(versions[0]) == (serving, False)
        assert f"the proxy runs {NGINX_IMAGE}, and the model file says {another}" in caplog.text
        assert f"`docker stop {proxy}`" in caplog.text
        assert inspect(endpoint, proxy)["Config"]["Image"] == NGINX_IMAGE
        run_docker("stop", "-t", "5", proxy)
        endpoint.roll_out(versions[0])
        assert inspect(endpoint, proxy)["Config"]["Image"] == another
        assert endpoint.ask()[1] == versions[0].digest
    finally:
        endpoint.remove()
        run_docker("rmi", another)


def test_an_image_that_was_pulled_for_us_goes_with_the_last_container_of_it(
    endpoint: Endpoint, versions: list[Version]
) -> None:
    image = versions[0].image
    endpoint.client.images.remove(image, force=True)
    try:
        endpoint.roll_out(versions[0])
        endpoint.roll_out(versions[0], keep=0, cpus=0.5)
        assert endpoint.engine().has_image(image)
        assert endpoint.target().stop()
        assert not endpoint.engine().has_image(image)
    finally:
        endpoint.remove()
        endpoint.engine().pull(image, None)  # the other tests have it
