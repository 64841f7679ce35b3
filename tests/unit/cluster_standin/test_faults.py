"""What tests can let go wrong."""

from __future__ import annotations

import pytest
from kubernetes.client import ApiException
from urllib3.exceptions import ProtocolError

from tests.cluster import Cluster
from tests.unit.cluster_standin.conftest import PODS, Client


def test_throttled_requests_say_when_to_come_again(client: Client, cluster: Cluster) -> None:
    cluster.faults.throttle(2, retry_after_seconds=3)
    for _ in range(2):
        with pytest.raises(ApiException) as caught:
            client.call("GET", PODS)
        assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "3")
    assert client.call("GET", PODS)["items"] == []


@pytest.mark.parametrize("code", [500, 503])
def test_a_fault_strikes_only_what_its_predicate_names(client: Client, cluster: Cluster, code: int) -> None:
    cluster.faults.fail(1, lambda request: request.method == "POST", code=code)
    client.call("GET", PODS)
    with pytest.raises(ApiException) as caught:
        client.call("POST", PODS, {})
    assert caught.value.status == code


def test_a_connection_that_is_cut_has_no_answer(client: Client, cluster: Cluster) -> None:
    cluster.faults.cut()
    with pytest.raises(ProtocolError):
        client.call("GET", PODS)
    assert client.call("GET", PODS)["items"] == []
    assert [request.path for request in cluster.requests] == [PODS, PODS]
