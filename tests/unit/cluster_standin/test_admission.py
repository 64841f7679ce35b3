"""What may refuse an object: namespaces, quota, Pod Security, webhooks, validation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kubernetes.client import ApiException

from tests.cluster import Cluster
from tests.cluster.store import Object
from tests.unit.cluster_standin.conftest import DEPLOYMENTS, PODS, Client, deployment, pod


def refusal(client: Client, *call: Any, **query: Any) -> dict[str, Any]:
    with pytest.raises(ApiException) as caught:
        client.call(*call, **query)
    found: dict[str, Any] = json.loads(caught.value.body)
    return found


def test_a_namespace_must_exist(client: Client) -> None:
    found = refusal(client, "POST", "/apis/apps/v1/namespaces/nowhere/deployments", deployment())
    assert (found["code"], found["message"]) == (404, 'namespaces "nowhere" not found')


def quota(cluster: Cluster, **hard: str) -> None:
    names = {name.replace("__", "/").replace("_", "."): amount for name, amount in hard.items()}
    meta = {"name": "small", "namespace": "models"}
    cluster.store.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": names}})


def test_a_quota_counts_pods(client: Client, cluster: Cluster) -> None:
    quota(cluster, pods="2")
    for name in "ab":
        client.call("POST", PODS, pod(name))
    found = refusal(client, "POST", PODS, pod("c"))
    assert (found["code"], found["reason"]) == (403, "Forbidden")
    assert found["message"] == (
        'pods "c" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'
    )
    client.call("DELETE", f"{PODS}/a")
    client.call("POST", PODS, pod("c"))


def test_a_quota_adds_up_resources_and_wants_them_declared(client: Client, cluster: Cluster) -> None:
    quota(cluster, requests_cpu="1", limits_memory="1Gi")
    assert (
        "failed quota: small: must specify limits.memory for: server; requests.cpu for: server"
        in (refusal(client, "POST", PODS, pod())["message"])
    )
    resources = {"requests": {"cpu": "600m"}, "limits": {"memory": "512Mi"}}
    for name, allowed in (("a", True), ("b", False)):
        body = pod(name, containers=[{"name": "server", "image": "x:1", "resources": resources}])
        if allowed:
            client.call("POST", PODS, body)
        else:
            expected = (
                "exceeded quota: small, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1"
            )
            assert expected in refusal(client, "POST", PODS, body)["message"]


def test_a_quota_counts_objects_of_any_kind(client: Client, cluster: Cluster) -> None:
    quota(cluster, count__deployments_apps="1")
    client.call("POST", DEPLOYMENTS, deployment("a"))
    assert "requested: count/deployments.apps=1" in refusal(client, "POST", DEPLOYMENTS, deployment("b"))["message"]


def test_restricted_pod_security_names_everything_that_is_wrong(client: Client, cluster: Cluster) -> None:
    cluster.add_namespace("strict", {"pod-security.kubernetes.io/enforce": "restricted"})
    strict = "/api/v1/namespaces/strict/pods"
    body = pod()
    body["metadata"]["namespace"] = "strict"
    assert refusal(client, "POST", strict, body)["message"] == (
        'pods "p" is forbidden: violates PodSecurity "restricted:latest": '
        'allowPrivilegeEscalation != false (container "server" must set securityContext.allowPrivilegeEscalation=false), '
        'unrestricted capabilities (container "server" must set securityContext.capabilities.drop=["ALL"]), '
        'runAsNonRoot != true (pod or container "server" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or container "server" must set securityContext.seccompProfile.type to "RuntimeDefault" '
        'or "Localhost")'
    )
    body["spec"]["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    body["spec"]["containers"][0]["securityContext"] = context
    client.call("POST", strict, body)


def test_a_webhook_denies_also_in_a_dry_run(client: Client, cluster: Cluster) -> None:
    def only_digests(new: Object, _: Object | None) -> str | None:
        return "images must be named by digest" if new["kind"] == "Deployment" else None

    cluster.webhooks.add("policy.example.com", only_digests)
    with pytest.raises(ApiException) as caught:
        client.apply(f"{DEPLOYMENTS}/iris", deployment(), dryRun="All")
    text = 'admission webhook "policy.example.com" denied the request: images must be named by digest'
    assert caught.value.status == 403
    assert json.loads(caught.value.body)["message"] == text


def test_a_wrong_name_is_invalid_in_the_real_shape(client: Client) -> None:
    found = refusal(client, "POST", DEPLOYMENTS, deployment("Iris_1") | {"metadata": {"name": "Iris_1"}})
    assert (found["code"], found["reason"]) == (422, "Invalid")
    assert found["message"].startswith('Deployment.apps "Iris_1" is invalid: ')
    assert {"group": "apps", "kind": "Deployment", "name": "Iris_1"}.items() <= found["details"].items()
    cause = found["details"]["causes"][0]
    assert (cause["reason"], cause["field"]) == ("FieldValueInvalid", "metadata.name")
    assert cause["message"].startswith('Invalid value: "Iris_1": a lowercase RFC 1123 subdomain must consist of')


def test_the_selector_of_a_deployment_cannot_be_changed(client: Client) -> None:
    client.call("POST", DEPLOYMENTS, deployment())
    labels = {"app": "iris", "more": "1"}
    patch = {"spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}}
    found = refusal(client, "PATCH", f"{DEPLOYMENTS}/iris", patch, "application/merge-patch+json")
    assert found["code"] == 422
    assert [cause["field"] for cause in found["details"]["causes"]] == ["spec.selector"]
    assert found["message"].endswith("field is immutable")


def test_unknown_fields_are_refused_if_asked_else_dropped(client: Client) -> None:
    body = deployment(unknown=1)
    found = refusal(client, "POST", DEPLOYMENTS, body, fieldValidation="Strict")
    assert found["code"] == 400
    assert found["message"].endswith('strict decoding error: unknown field "spec.unknown"')
    assert "unknown" not in client.call("POST", DEPLOYMENTS, body)["spec"]


def test_a_value_of_the_wrong_type_is_refused(client: Client) -> None:
    found = refusal(client, "POST", DEPLOYMENTS, deployment(replicas="two"))
    assert found["code"] == 400
    assert "cannot unmarshal string" in found["message"]


def test_a_request_above_its_limit_is_invalid(client: Client) -> None:
    resources = {"requests": {"cpu": "2"}, "limits": {"cpu": "500m"}}
    body = pod(containers=[{"name": "server", "image": "x:1", "resources": resources}])
    found = refusal(client, "POST", PODS, body)
    assert found["details"]["causes"][0]["field"] == "spec.containers[0].resources.requests"


def test_a_pod_needs_its_service_account(client: Client) -> None:
    found = refusal(client, "POST", PODS, pod(serviceAccountName="ghost"))
    assert found["message"] == (
        'pods "p" is forbidden: error looking up service account models/ghost: serviceaccount "ghost" not found'
    )
    assert found["code"] == 403


def test_an_eviction_holds_to_the_disruption_budget(client: Client, cluster: Cluster) -> None:
    for name in "ab":
        client.call("POST", PODS, pod(name) | {"metadata": {"name": name, "labels": {"app": "iris"}}})
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        cluster.store.set_status("Pod", "models", name, ready)
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "iris"}}}
    meta = {"name": "iris", "namespace": "models"}
    cluster.store.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec})
    client.call(
        "POST", f"{PODS}/a/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}
    )
    found = refusal(client, "POST", f"{PODS}/b/eviction", {"apiVersion": "policy/v1", "kind": "Eviction"})
    assert (found["code"], found["message"]) == (
        429,
        "Cannot evict pod as it would violate the pod's disruption budget.",
    )
