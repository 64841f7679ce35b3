"""The Roles in serving/k8s/rbac: enough for all that is applied, and nothing besides."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from slipway.core.kubernetes_section import KubernetesTarget
from slipway.core.serving_folder import serving_folder
from slipway.rollout.kubernetes.manifests import Manifests
from tests.unit.rollout.kubernetes.models import everything

RBAC = serving_folder() / "k8s" / "rbac"
ROLES = ("role", "gateway", "ingress", "training")
PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}
WRITE = {"get", "list", "create", "patch", "delete"}


def role(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((RBAC / f"{name}.yaml").read_text())
    return found


def grants(name: str) -> set[tuple[str, str, str]]:
    """Group, resource and verb."""
    return {
        (group, resource, verb)
        for rule in role(name)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def written(**section: Any) -> set[tuple[str, str, str]]:
    made = everything(Manifests("iris", KubernetesTarget.model_validate(section)))
    resources = {
        (each["apiVersion"].rpartition("/")[0], PLURALS.get(each["kind"], f"{each['kind'].lower()}s")) for each in made
    }
    return {(group, resource, verb) for group, resource in resources for verb in WRITE}


@pytest.mark.parametrize(
    ("expose", "parts"),
    [
        (None, ["role"]),
        ({"load_balancer": {"source_ranges": ["10.0.0.0/8"]}}, ["role"]),
        ({"gateway": {"host": "a.example.com", "class_name": "eg", "issuer": "le"}}, ["role", "gateway"]),
        ({"ingress": {"host": "a.example.com", "class_name": "nginx"}}, ["role", "ingress"]),
    ],
)
def test_they_are_enough_for_all_that_is_applied(expose: dict[str, Any] | None, parts: list[str]) -> None:
    needed = written(expose=expose, autoscale={"maximum": 3})
    assert needed <= set().union(*map(grants, parts))
    for part in parts:
        assert not needed <= set().union(*(grants(other) for other in parts if other != part))


def test_they_change_nothing_that_is_not_applied() -> None:
    applied = written(
        expose={"gateway": {"host": "a.example.com", "class_name": "eg"}}, autoscale={"maximum": 3}
    ) | written(expose={"ingress": {"host": "a.example.com", "class_name": "nginx"}})
    changing = {
        grant
        for name in ROLES
        if name != "training"
        for grant in grants(name)
        if grant[2] not in {"get", "list", "watch"}
    }
    assert changing - applied == {("", "pods/portforward", "create")}


def test_what_is_only_looked_at() -> None:
    assert {grant for grant in grants("role") if grant[1] in {"pods", "pods/log", "pods/portforward", "events"}} == {
        ("", "pods", "get"),
        ("", "pods", "list"),
        ("", "pods", "watch"),
        ("", "pods/log", "get"),
        ("", "pods/portforward", "get"),
        ("", "pods/portforward", "create"),
        ("", "events", "list"),
    }


@pytest.mark.parametrize("name", ROLES)
def test_no_secret_no_wildcard_and_no_way_to_more_rights(name: str) -> None:
    assert role(name)["kind"] == "Role"
    words = {word for grant in grants(name) for word in grant}
    assert not words & {"*", "secrets", "roles", "rolebindings", "pods/exec", "serviceaccounts/token"}
    assert not words & {"escalate", "bind", "impersonate", "update", "deletecollection"}


def test_every_role_is_bound_to_slipway_alone() -> None:
    account, *bindings = yaml.safe_load_all((RBAC / "binding.yaml").read_text())
    assert (account["kind"], account["automountServiceAccountToken"]) == ("ServiceAccount", False)
    assert [each["roleRef"]["name"] for each in bindings] == [role(name)["metadata"]["name"] for name in ROLES]
    for binding in bindings:
        assert binding["kind"] == "RoleBinding"
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"]}]
