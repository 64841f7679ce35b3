"""Who may do what, through the real client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiException

from tests.cluster import Cluster
from tests.unit.cluster_standin.conftest import DEPLOYMENTS, PODS, Client, deployment, pod

ACCOUNT = "system:serviceaccount:models:deployer"


@pytest.fixture
def deployer(cluster: Cluster, tmp_path: Path) -> Client:
    return Client(cluster, tmp_path, ACCOUNT)


def grant(cluster: Cluster, *rules: dict[str, Any]) -> None:
    meta = {"name": "deployer", "namespace": "models"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer"}
    subject = {"kind": "ServiceAccount", "name": "deployer", "namespace": "models"}
    version = "rbac.authorization.k8s.io/v1"
    cluster.store.put({"apiVersion": version, "kind": "Role", "metadata": meta, "rules": list(rules)})
    binding = {"apiVersion": version, "kind": "RoleBinding", "metadata": meta}
    cluster.store.put(binding | {"roleRef": reference, "subjects": [subject]})


def rule(group: str, resource: str, *verbs: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
    limited = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs), **limited}


def denied(client: Client, *call: Any, **query: Any) -> dict[str, Any]:
    with pytest.raises(ApiException) as caught:
        client.call(*call, **query)
    found: dict[str, Any] = json.loads(caught.value.body)
    return found


def test_without_a_role_nothing_is_allowed(deployer: Client) -> None:
    found = denied(deployer, "GET", DEPLOYMENTS)
    assert found["message"] == (
        f'deployments.apps is forbidden: User "{ACCOUNT}" cannot list resource "deployments" '
        'in API group "apps" in the namespace "models"'
    )
    assert (found["code"], found["reason"]) == (403, "Forbidden")
    assert found["details"] == {"group": "apps", "kind": "deployments"}


def test_a_role_allows_its_verbs_in_its_namespace_only(cluster: Cluster, deployer: Client) -> None:
    grant(cluster, rule("apps", "deployments", "list"))
    assert deployer.call("GET", DEPLOYMENTS)["items"] == []
    assert (
        'in the namespace "default"'
        in denied(deployer, "GET", "/apis/apps/v1/namespaces/default/deployments")["message"]
    )
    assert "at the cluster scope" in denied(deployer, "GET", "/apis/apps/v1/deployments")["message"]
    assert "cannot create resource" in denied(deployer, "POST", DEPLOYMENTS, deployment())["message"]


def test_subresources_need_a_rule_of_their_own(cluster: Cluster, deployer: Client, client: Client) -> None:
    client.call("POST", PODS, pod())
    grant(cluster, rule("", "pods", "get"))
    assert deployer.call("GET", f"{PODS}/p")["metadata"]["name"] == "p"
    found = denied(deployer, "GET", f"{PODS}/p/log")
    assert found["message"] == (
        f'pods "p" is forbidden: User "{ACCOUNT}" cannot get resource "pods/log" in API group "" in the namespace "models"'
    )


def test_a_rule_may_be_for_one_name(cluster: Cluster, deployer: Client, client: Client) -> None:
    client.call("POST", PODS, pod("a"))
    client.call("POST", PODS, pod("b"))
    grant(cluster, rule("", "pods", "get", "list", names=("a",)))
    assert deployer.call("GET", f"{PODS}/a")
    assert len(deployer.call("GET", PODS, fieldSelector="metadata.name=a")["items"]) == 1
    assert denied(deployer, "GET", f"{PODS}/b")["code"] == 403


def test_an_apply_that_creates_needs_create_too(cluster: Cluster, deployer: Client) -> None:
    grant(cluster, rule("apps", "deployments", "patch"))
    with pytest.raises(ApiException) as caught:
        deployer.apply(f"{DEPLOYMENTS}/iris", deployment())
    assert "cannot create resource" in caught.value.body
    grant(cluster, rule("apps", "deployments", "patch", "create"))
    deployer.apply(f"{DEPLOYMENTS}/iris", deployment())


@pytest.mark.parametrize(("verb", "allowed"), [("list", True), ("delete", False)])
def test_everybody_may_ask_what_he_may(cluster: Cluster, deployer: Client, verb: str, allowed: bool) -> None:
    grant(cluster, rule("apps", "deployments", "list"))
    attributes = {"namespace": "models", "verb": verb, "group": "apps", "resource": "deployments"}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = deployer.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    assert answer["status"]["allowed"] is allowed


def test_an_unknown_token_is_nobody(cluster: Cluster, tmp_path: Path) -> None:
    found = denied(Client(cluster, tmp_path, "someone", token="made-up"), "GET", PODS)
    assert (found["code"], found["reason"], found["message"]) == (401, "Unauthorized", "Unauthorized")
