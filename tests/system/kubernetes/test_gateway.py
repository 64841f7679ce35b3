"""A canary whose share is a weight of an HTTPRoute, on a cluster that has the Gateway API."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.cluster.api import Cluster
from tests.system.kubernetes.load import load
from tests.system.kubernetes.model import ClusterModel, Version, short_digest
from tests.system.kubernetes.place import Place

HOST = "iris.slipway-test.example.com"


@pytest.fixture
def gateway_class(place: Place) -> str:
    from kubernetes.client import CustomObjectsApi
    from kubernetes.client.exceptions import ApiException

    if place.gateway_class is None:
        pytest.skip("SLIPWAY_TEST_GATEWAY_CLASS names no GatewayClass of the cluster")
    kind = ("gateway.networking.k8s.io", "v1", "gatewayclasses")
    try:
        CustomObjectsApi(place.client).get_cluster_custom_object(*kind, place.gateway_class)
    except ApiException as error:
        pytest.skip(f"the GatewayClass {place.gateway_class} cannot be read on this cluster: {error.reason}")
    return place.gateway_class


def test_a_canary_by_weights_of_a_gateway_is_promoted_without_a_lost_request(
    model: ClusterModel, versions: list[Version], place: Place, gateway_class: str
) -> None:
    one, two = versions[:2]
    analysis = {"interval_seconds": 2, "count": 2}
    model.with_target(
        expose={"gateway": {"host": HOST, "class_name": gateway_class}},
        strategy={"canary": {"steps": [10, 50], "analysis": analysis}},
    )
    model.begin()
    assert model.roll_out(one)["endpoint"] == f"http://{HOST}"
    model.promote(one)
    with load(place, one.image, gateway_address(model), host=HOST) as clients:
        assert clients.wait_for_more()["digests"] == [one.digest]
        model.begin()
        for percent in (10, 50):
            shifted = model.shift(two, percent)
            assert model.served() == {short_digest(one)}  # the Service of the stable pods: the weights alone share
            assert model.analyse(two, shifted)["phase"] == "Successful"
            assert clients.wait_for_more()["lost"] == [], f"at {percent} %"
        model.wait_until(lambda: clients.report()["digests"] == sorted([one.digest, two.digest]))
        model.roll_out(two)
        model.promote(two)
        report = clients.wait_for_more()
    assert report["lost"] == []
    assert model.served() == {short_digest(two)}
    assert model.deployments() == {model.name}
    [rule] = model.cluster.get("HTTPRoute", model.name)["spec"]["rules"]
    assert [backend["name"] for backend in rule["backendRefs"]] == [model.name]


def gateway_address(model: ClusterModel) -> str:
    """Where the cluster's proxies listen for this model's Gateway, once they do."""
    model.wait_until(lambda: bool(_addresses(model.cluster, model.name)), 600)
    return str(_addresses(model.cluster, model.name)[0]["value"])


def _addresses(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    return cluster.get("Gateway", name).get("status", {}).get("addresses") or []
