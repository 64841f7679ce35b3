"""Ordinary requests through the real client: lists, patches, deletion, discovery."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client as kubernetes_client
from kubernetes.client import ApiException
from kubernetes.config import new_client_from_config

from tests.cluster import Cluster, start_cluster
from tests.unit.cluster_standin.conftest import DEPLOYMENTS, PODS, Client, deployment, pod


def failure(client: Client, *call: Any, **query: Any) -> dict[str, Any]:
    with pytest.raises(ApiException) as caught:
        client.call(*call, **query)
    found: dict[str, Any] = json.loads(caught.value.body)
    return found


def test_generated_classes_of_the_client_read_what_comes(client: Client) -> None:
    apps = kubernetes_client.AppsV1Api(client.api)
    made = apps.create_namespaced_deployment("models", deployment())
    assert made.spec.template.spec.containers[0].image == "registry/iris@sha256:1"
    assert [one.metadata.name for one in apps.list_namespaced_deployment("models").items] == ["iris"]
    assert kubernetes_client.VersionApi(client.api).get_code().git_version.startswith("v1.36.")
    groups = {group.name for group in kubernetes_client.ApisApi(client.api).get_api_versions().groups}
    assert {"apps", "policy", "gateway.networking.k8s.io"} <= groups


def test_an_absent_object_is_a_status(client: Client) -> None:
    assert failure(client, "GET", f"{DEPLOYMENTS}/iris") == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'deployments.apps "iris" not found',
        "reason": "NotFound",
        "details": {"name": "iris", "group": "apps", "kind": "deployments"},
        "code": 404,
    }


def test_the_gateway_api_may_be_missing(tmp_path: Path) -> None:
    path = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
    with start_cluster() as cluster, pytest.raises(ApiException) as caught:
        Client(cluster, tmp_path).call("GET", path)
    assert (caught.value.status, caught.value.body) == (404, "404 page not found\n")


def test_a_list_comes_in_pages(client: Client, cluster: Cluster) -> None:
    for number in range(5):
        client.call("POST", PODS, pod(f"p{number}"))
    first = client.call("GET", PODS, limit=2)
    assert first["metadata"]["remainingItemCount"] == 3
    assert "kind" not in first["items"][0]
    second = client.call("GET", PODS, limit=2, **{"continue": first["metadata"]["continue"]})
    assert [one["metadata"]["name"] for one in second["items"]] == ["p2", "p3"]
    cluster.faults.compact()
    assert failure(client, "GET", PODS, **{"continue": second["metadata"]["continue"]})["code"] == 410


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"labelSelector": "app=a"}, ["a"]),
        ({"labelSelector": "app in (a, b),app!=b"}, ["a"]),
        ({"labelSelector": "app notin (a)"}, ["b", "c"]),
        ({"labelSelector": "!gone"}, ["a", "b", "c"]),
        ({"labelSelector": "app"}, ["a", "b", "c"]),
        ({"fieldSelector": "metadata.name=b"}, ["b"]),
        ({"fieldSelector": "status.phase!=Pending"}, []),
    ],
)
def test_selectors_select(client: Client, query: dict[str, str], expected: list[str]) -> None:
    for name in "abc":
        client.call("POST", PODS, pod(name))
    assert [one["metadata"]["name"] for one in client.call("GET", PODS, **query)["items"]] == expected


def test_a_field_that_cannot_be_selected_by_is_refused(client: Client) -> None:
    assert "field label not supported: spec.x" in failure(client, "GET", PODS, fieldSelector="spec.x=1")["message"]


def test_patches_of_all_formats(client: Client) -> None:
    client.call("POST", DEPLOYMENTS, deployment())
    iris = f"{DEPLOYMENTS}/iris"
    steps = [
        {"op": "add", "path": "/metadata/labels/a~1b", "value": "1"},
        {"op": "remove", "path": "/metadata/labels/app"},
    ]
    assert client.call("PATCH", iris, steps, "application/json-patch+json")["metadata"]["labels"] == {"a/b": "1"}
    merged = client.call("PATCH", iris, {"metadata": {"labels": {"a/b": None}}}, "application/merge-patch+json")
    assert "a/b" not in merged["metadata"].get("labels", {})
    container = {"name": "server", "env": [{"name": "LEVEL", "$patch": "delete"}]}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    changed = client.call("PATCH", iris, body, "application/strategic-merge-patch+json")
    assert changed["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "WORKERS", "value": "1"}]


def test_an_outdated_write_is_a_conflict(client: Client) -> None:
    old = client.call("POST", DEPLOYMENTS, deployment())
    client.call("PATCH", f"{DEPLOYMENTS}/iris", {"spec": {"replicas": 3}}, "application/merge-patch+json")
    found = failure(client, "PUT", f"{DEPLOYMENTS}/iris", old)
    assert (found["code"], found["reason"]) == (409, "Conflict")
    assert "the object has been modified" in found["message"]


def test_deletion_holds_to_the_uid(client: Client) -> None:
    made = client.call("POST", DEPLOYMENTS, deployment())
    options: dict[str, Any] = {"preconditions": {"uid": "another"}}
    assert failure(client, "DELETE", f"{DEPLOYMENTS}/iris", options)["reason"] == "Conflict"
    options = {"preconditions": {"uid": made["metadata"]["uid"]}, "propagationPolicy": "Background"}
    assert client.call("DELETE", f"{DEPLOYMENTS}/iris", options)["status"] == "Success"
    assert failure(client, "DELETE", f"{DEPLOYMENTS}/iris", options)["code"] == 404


def test_a_pod_on_a_node_ends_when_its_kubelet_says_so(client: Client, cluster: Cluster) -> None:
    client.call("POST", PODS, pod(nodeName="node", terminationGracePeriodSeconds=7))
    going = client.call("DELETE", f"{PODS}/p")
    assert going["metadata"]["deletionGracePeriodSeconds"] == 7
    assert client.call("GET", f"{PODS}/p")["metadata"]["deletionTimestamp"]
    cluster.store.delete("Pod", "models", "p", grace_seconds=0)
    assert failure(client, "GET", f"{PODS}/p")["code"] == 404


def test_a_finalizer_keeps_an_object(client: Client) -> None:
    body = deployment()
    body["metadata"]["finalizers"] = ["example.com/wait"]
    client.call("POST", DEPLOYMENTS, body)
    assert client.call("DELETE", f"{DEPLOYMENTS}/iris")["metadata"]["deletionTimestamp"]
    patch = {"metadata": {"finalizers": None}}
    client.call("PATCH", f"{DEPLOYMENTS}/iris", patch, "application/merge-patch+json")
    assert failure(client, "GET", f"{DEPLOYMENTS}/iris")["code"] == 404


def test_a_collection_is_deleted_by_label(client: Client) -> None:
    for name in "ab":
        client.call("POST", PODS, pod(name))
    client.call("DELETE", PODS, labelSelector="app=a")
    assert [one["metadata"]["name"] for one in client.call("GET", PODS)["items"]] == ["b"]


def test_a_dry_deletion_deletes_nothing(client: Client) -> None:
    client.call("POST", PODS, pod())
    client.call("DELETE", f"{PODS}/p", dryRun="All")
    assert client.call("GET", f"{PODS}/p")["metadata"]["name"] == "p"


def test_services_get_an_address_and_keep_it(client: Client) -> None:
    services = "/api/v1/namespaces/models/services"
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "iris"}, "spec": {"ports": [{"port": 80}]}}
    made = client.apply(f"{services}/iris", body)
    assert made["spec"]["clusterIP"].startswith("10.96.")
    assert made["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert client.apply(f"{services}/iris", body) == made


def test_tls_with_an_authority_of_its_own(tmp_path: Path) -> None:
    with start_cluster(tls=True) as cluster:
        assert cluster.url.startswith("https://")
        api = new_client_from_config(str(cluster.kubeconfig(tmp_path / "kubeconfig")))
        assert len(kubernetes_client.CoreV1Api(api).list_namespace().items) == 3


def test_what_is_wrong_in_the_stand_in_itself_is_raised_when_it_ends(tmp_path: Path) -> None:
    def crash(*_: Any) -> str:
        raise RuntimeError("a bug")

    with ExitStack() as stack:
        cluster = stack.enter_context(start_cluster())
        cluster.webhooks.add("policy.example.com", crash)
        body = pod() | {"metadata": {"name": "p"}}
        assert failure(Client(cluster, tmp_path), "POST", "/api/v1/namespaces/default/pods", body)["code"] == 500
        with pytest.raises(RuntimeError, match="a bug"):
            stack.close()
