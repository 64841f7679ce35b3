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
ROLES = ("role", "gateway", "own_gateway", "ingress", "training")
PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}
WRITE = {"get", "list", "create", "patch", "delete"}


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((RBAC / f"{name}.yaml").read_text()))


def role(name: str) -> dict[str, Any]:
    [found] = [each for each in documents(name) if each["kind"] == "Role"]
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
        (
            {"gateway": {"host": "a.example.com", "class_name": "eg", "issuer": "le"}},
            ["role", "gateway", "own_gateway"],
        ),
        ({"gateway": {"host": "a.example.com", "name": "public"}}, ["role", "gateway"]),
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
    written_to = {resource for _, resource, verb in grants("role") if verb == "patch"}
    assert {grant for grant in grants("role") if grant[1] not in written_to} == {
        ("apps", "replicasets", "list"),
        ("", "pods", "list"),
        ("", "pods", "watch"),
        ("", "pods/log", "get"),
        ("", "pods/portforward", "get"),
        ("", "pods/portforward", "create"),
        ("", "events", "list"),
    }


def test_only_pods_and_services_are_watched() -> None:
    watched = {(name, resource) for name in ROLES for _, resource, verb in grants(name) if verb == "watch"}
    assert watched == {("role", "pods"), ("role", "services"), ("training", "pods")}


def test_training_makes_pods_and_nothing_else() -> None:
    assert grants("training") == {
        *(("", "pods", verb) for verb in ("create", "get", "list", "watch", "patch", "delete")),
        ("", "pods/log", "get"),
        ("", "events", "list"),
    }


@pytest.mark.parametrize("name", ROLES)
def test_no_secret_no_wildcard_and_no_way_to_more_rights(name: str) -> None:
    assert role(name)["kind"] == "Role"
    words = {word for grant in grants(name) for word in grant}
    assert not words & {"*", "secrets", "roles", "rolebindings", "pods/exec", "serviceaccounts/token"}
    assert not words & {"escalate", "bind", "impersonate", "update", "deletecollection"}


@pytest.mark.parametrize("name", ROLES)
def test_a_role_is_bound_to_slipway_alone_and_the_optional_ones_by_their_own_file(name: str) -> None:
    [account] = [each for each in documents("binding") if each["kind"] == "ServiceAccount"]
    assert account["automountServiceAccountToken"] is False
    [binding] = [each for each in documents("binding" if name == "role" else name) if each["kind"] == "RoleBinding"]
    assert binding["roleRef"]["name"] == role(name)["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"]}]


def test_there_is_no_other_file() -> None:
    assert {path.stem for path in RBAC.glob("*")} == {*ROLES, "binding"}
