"""Airflow connections of type `kubernetes`, through the provider's hooks."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from slipway.cluster import hook as module
from slipway.cluster.hook import ClusterHook
from slipway.core.errors import AbsentError, ConfigurationError, SlipwayError
from tests.kube_api import NAMESPACE, KubeApi, kubeconfig

IRIS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/iris"


@pytest.fixture(autouse=True)
def outside_of_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def connect(monkeypatch: pytest.MonkeyPatch, conn_id: str = "staging", **extra: Any) -> ClusterHook:
    connection = json.dumps({"conn_type": "kubernetes", "extra": extra})
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection)
    return ClusterHook(conn_id)


def names(api: KubeApi, hook: ClusterHook) -> list[str]:
    """As the one client lists them; the other can watch them."""

    async def watch() -> None:
        until = time.time() + 60
        async with (
            hook.watching(NAMESPACE) as cluster,
            aclosing(cluster.changes("Deployment", until=until)) as changes,
        ):
            await anext(changes)

    found = [one["metadata"]["name"] for one in hook.cluster(NAMESPACE).list("Deployment")]
    asyncio.run(watch())
    listed = [request for request in api.requests("GET", "/deployments") if "watch" not in request.params]
    assert [request.params["limit"] for request in listed] == ["250", "1"]  # the first client's, the second's
    return found


def test_making_the_hook_and_the_cluster_reads_no_connection_and_asks_nobody(api: KubeApi) -> None:
    ClusterHook("there_is_no_such_connection").cluster(NAMESPACE)
    assert api.asked == []


def test_the_content_of_a_kubeconfig(api: KubeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put(IRIS, {})
    assert names(api, connect(monkeypatch, kube_config=json.dumps(kubeconfig(api, "of-content")))) == ["iris"]
    assert {request.headers["Authorization"] for request in api.asked} == {"Bearer of-content"}


def test_the_path_of_a_kubeconfig(api: KubeApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    api.put(IRIS, {})
    path = tmp_path / "config"
    path.write_text(json.dumps(kubeconfig(api, "of-path")))
    assert names(api, connect(monkeypatch, kube_config_path=str(path))) == ["iris"]
    assert {request.headers["Authorization"] for request in api.asked} == {"Bearer of-path"}


def test_two_connections_in_one_process_do_not_mix(api: KubeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    one = connect(monkeypatch, "one", kube_config=kubeconfig(api, "one")).cluster(NAMESPACE)
    two = connect(monkeypatch, "two", kube_config=kubeconfig(api, "two"), disable_verify_ssl=True).cluster(NAMESPACE)
    assert [cluster.client.configuration.verify_ssl for cluster in (one, two)] == [True, False]
    for cluster in (one, two, one):
        cluster.find("Deployment", "iris")
    assert [request.headers["Authorization"][-3:] for request in api.asked] == ["one", "two", "one"]


def raised(hook: ClusterHook) -> list[SlipwayError]:
    async def enter() -> None:
        async with hook.watching(NAMESPACE):
            pass

    found = []
    for act in (lambda: hook.cluster(NAMESPACE).version(), lambda: asyncio.run(enter())):
        with pytest.raises(SlipwayError) as caught:
            act()
        found.append(caught.value)
    return found


@pytest.mark.parametrize("conn_id", ["staging", "kubernetes_default"])
def test_no_connection_is_absent_and_says_how_to_make_one(conn_id: str) -> None:
    for error in raised(ClusterHook(conn_id)):
        assert isinstance(error, AbsentError)
        assert f"connection {conn_id}: there is none" in str(error)
        assert "kube_config_path" in error.fix


def test_a_kubeconfig_that_is_no_yaml_is_said_without_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in raised(connect(monkeypatch, kube_config="users: [{token: hunter2")):
        assert isinstance(error, ConfigurationError)
        assert "hunter2" not in repr((error, error.__cause__))


def test_a_kubeconfig_without_its_context_is_wrong(api: KubeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    config = kubeconfig(api) | {"current-context": "other"}
    for error in raised(connect(monkeypatch, kube_config=config)):
        assert isinstance(error, ConfigurationError)
        assert "other" in error.why


def test_a_kubeconfig_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for error in raised(connect(monkeypatch, kube_config_path=str(tmp_path / "absent"))):
        assert isinstance(error, AbsentError)
        assert str(tmp_path / "absent") in error.why


def test_both_ways_at_once_is_wrong(api: KubeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = connect(monkeypatch, kube_config=kubeconfig(api), kube_config_path=__file__)
    assert all("mutually exclusive" in error.why for error in raised(hook))


@pytest.fixture
def in_a_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certificate: tuple[str, str]) -> None:
    token = tmp_path / "token"
    token.write_text("of-the-pod")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(module, "_TOKEN", token)
    for client in ("kubernetes", "kubernetes_asyncio"):
        account = import_module(f"{client}.config.incluster_config")
        monkeypatch.setattr(account, "SERVICE_TOKEN_FILENAME", str(token))
        monkeypatch.setattr(account, "SERVICE_CERT_FILENAME", certificate[0])


@pytest.mark.usefixtures("in_a_pod")
@pytest.mark.parametrize("extra", [{}, {"in_cluster": True}, None])
def test_a_pod_uses_its_own_account(monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any] | None) -> None:
    hook = ClusterHook("kubernetes_default") if extra is None else connect(monkeypatch, **extra)

    async def watching() -> Any:
        async with hook.watching(NAMESPACE) as cluster:
            return cluster.client.configuration

    for configuration in (hook.cluster(NAMESPACE).client.configuration, asyncio.run(watching())):
        assert configuration.host == "https://10.96.0.1:443"
        assert "of-the-pod" in str(configuration.api_key)


@pytest.mark.usefixtures("in_a_pod")
def test_a_connection_in_a_pod_still_goes_where_it_says(api: KubeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put(IRIS, {})
    assert names(api, connect(monkeypatch, kube_config=kubeconfig(api))) == ["iris"]
