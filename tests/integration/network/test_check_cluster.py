"""The connectivity task of a Kubernetes namespace against a scripted API, through the provider's hook."""

from __future__ import annotations

import json
from collections.abc import Iterator

import kmock
import pytest
from aiohttp import web

from slipway.core.errors import ConfigurationError, DeniedError
from slipway.network.endpoint import Endpoint
from slipway.network.hook import ConnectivityHook
from tests.kube_api import NAMESPACE, KubeApi, Reply, kube_api, kubeconfig

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeApi]:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with kube_api() as running:
        connection = {"conn_type": "kubernetes", "extra": {"kube_config": kubeconfig(running)}}
        monkeypatch.setenv("AIRFLOW_CONN_PROD", json.dumps(connection))
        yield running


def script(api: KubeApi, version: str, *denied: tuple[str, str]) -> None:
    async def answer(request: kmock.Request) -> web.StreamResponse:
        asked = request.data["spec"]["resourceAttributes"]
        return Reply(201, {"status": {"allowed": (asked["verb"], asked["resource"]) not in denied}}).response()

    api.on("GET", "/version", {"gitVersion": version})
    api.on("POST", REVIEWS, answer)


def check(*parts: str) -> str:
    endpoint: Endpoint = {
        "name": "Kubernetes prod, namespace models",
        "kind": "kubernetes",
        "address": NAMESPACE,
        "conn_id": "prod",
        "parts": list(parts),
    }
    return ConnectivityHook(endpoint).check()[-1].detail


def test_who_may_do_all_that_is_needed_passes_and_leaves_nothing(api: KubeApi) -> None:
    script(api, "v1.30.1+k3s1")
    assert check("role", "gateway") == "Kubernetes v1.30.1+k3s1: may do what is needed in models"
    assert [request.params["dryRun"] for request in api.requests("PATCH")] == ["All"]
    assert api.objects == {}


def test_a_cluster_that_is_too_old_is_said_before_anything_is_asked(api: KubeApi) -> None:
    script(api, "v1.29.3-gke.100")
    with pytest.raises(ConfigurationError, match=r"namespace models: it is Kubernetes v1\.29\.3-gke\.100.* 1\.30"):
        check("role")
    assert api.requests("POST") == []
    assert check("training") == "Kubernetes v1.29.3-gke.100: may do what is needed in models"


def test_an_existing_gateway_needs_no_right_to_make_one(api: KubeApi) -> None:
    script(api, "v1.36.2", ("create", "gateways"))
    check("role", "gateway")
    with pytest.raises(DeniedError, match=r"gateways\.gateway\.networking\.k8s\.io: create.*rbac/own_gateway\.yaml"):
        check("role", "gateway", "own_gateway")
