"""Plan, apply and prune the objects of a model, through the official client."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.cluster.api import Cluster
from slipway.cluster.applying import Applier, Plan, Planned
from slipway.cluster.diff import Change
from slipway.cluster.resources import RESOURCES
from slipway.core.errors import AbsentError, ConfigurationError, DeniedError
from tests.kube_api import NAMESPACE, KubeApi, not_found, status

LABELS = {
    "app.kubernetes.io/managed-by": "slipway",
    "slipway.dev/model": "iris",
    "app.kubernetes.io/name": "model-server",
    "app.kubernetes.io/instance": "iris",
}
OWNERSHIP = {key: LABELS[key] for key in ("app.kubernetes.io/managed-by", "slipway.dev/model")}


def made(kind: str, name: str = "iris", labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": LABELS if labels is None else labels}
    return {"apiVersion": RESOURCES[kind].api_version, "kind": kind, "metadata": metadata, "spec": spec}


def path(kind: str, name: str = "") -> str:
    return RESOURCES[kind].path(NAMESPACE, name)


@pytest.fixture
def applier(cluster: Cluster) -> Applier:
    return Applier(cluster, LABELS)


def test_a_plan_says_what_would_happen_and_changes_nothing(api: KubeApi, applier: Applier) -> None:
    api.put(path("Service", "iris"), made("Service", ports=[{"name": "http", "port": 80}]))
    api.put(path("Deployment", "iris"), made("Deployment", replicas=2, paused=False))
    api.put(path("Deployment", "iris-canary"), made("Deployment", "iris-canary"))
    before = json.dumps(api.objects)
    declared = [
        made("Deployment", replicas=3),
        made("Service", ports=[{"name": "http", "port": 80}]),
        made("ConfigMap", "iris-keys-0a1b2c3d"),
    ]
    plan = applier.plan(declared)
    assert json.dumps(api.objects) == before
    assert all(request.params["dryRun"] == "All" for request in api.requests("PATCH"))
    assert plan.summary == "1 to create, 1 to change, 1 to remove"
    assert plan.lines()[:4] == [
        "Plan: 1 to create, 1 to change, 1 to remove.",
        "~ Deployment/iris",
        "    spec.replicas: 2 -> 3",
        "= Service/iris",
    ]
    assert plan.lines()[-1] == "- Deployment/iris-canary"
    assert plan.as_xcom() == {
        "summary": "1 to create, 1 to change, 1 to remove",
        "create": ["ConfigMap/iris-keys-0a1b2c3d"],
        "remove": ["Deployment/iris-canary"],
        "change": {"Deployment/iris": ["spec.replicas"]},
    }


def test_applying_and_pruning_do_what_the_plan_said_and_then_nothing(api: KubeApi, applier: Applier) -> None:
    api.put(path("Deployment", "iris-canary"), made("Deployment", "iris-canary"))
    declared = [made("Deployment", replicas=2), made("Service")]
    assert applier.apply(declared) == ["Deployment/iris", "Service/iris"]
    assert applier.prune(declared) == ["Deployment/iris-canary"]
    assert applier.apply(declared) == []
    assert applier.prune(declared) == []
    assert applier.plan(declared).summary == "0 to create, 0 to change, 0 to remove"
    assert applier.apply([made("Deployment", replicas=4), made("Service")]) == ["Deployment/iris"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, "it has neither of our labels"),
        ({"app.kubernetes.io/managed-by": "Helm"}, "it has app.kubernetes.io/managed-by=Helm"),
        (OWNERSHIP | {"slipway.dev/model": "iris2"}, "slipway.dev/model=iris2, not slipway.dev/model=iris"),
    ],
)
def test_what_belongs_to_somebody_else_is_not_touched_unless_told(
    api: KubeApi, cluster: Cluster, labels: dict[str, str], said: str
) -> None:
    api.put(path("Service", "iris"), made("Service", labels=labels))
    declared = [made("Deployment"), made("Service")]
    for act in (Applier(cluster, LABELS).apply, Applier(cluster, LABELS).plan):
        with pytest.raises(ConfigurationError, match=r"Service/iris in models \(staging\).*somebody else") as caught:
            act(declared)
        assert said in caught.value.why
    assert api.requests("PATCH") == []  # not even the Deployment before it
    assert Applier(cluster, LABELS, force=True).apply(declared) == ["Deployment/iris", "Service/iris"]
    assert {request.params.get("force") for request in api.requests("PATCH")} == {"true"}


def test_only_objects_with_both_our_labels_and_of_our_kinds_are_pruned(api: KubeApi, applier: Applier) -> None:
    api.put(path("Service", "other-model"), made("Service", "other-model", OWNERSHIP | {"slipway.dev/model": "iris2"}))
    api.put(path("Service", "by-hand"), made("Service", "by-hand", {"slipway.dev/model": "iris"}))
    api.put(path("Pod", "training"), made("Pod", "training"))
    api.put(path("Service", "iris-canary"), made("Service", "iris-canary"))
    assert applier.prune([]) == ["Service/iris-canary"]
    assert len(api.objects) == 3


def test_what_a_controller_made_for_our_gateway_is_left_to_it(api: KubeApi, applier: Applier) -> None:
    owned = made("Deployment", "iris-istio")
    owned["metadata"]["ownerReferences"] = [{"kind": "Gateway", "name": "iris", "uid": "u"}]
    ending = made("Deployment", "iris-green")
    ending["metadata"]["deletionTimestamp"] = "2026-01-05T10:00:00Z"
    api.put(path("Deployment", "iris-istio"), owned)
    api.put(path("Deployment", "iris-green"), ending)
    assert applier.prune([]) == []
    assert applier.plan([]).objects == ()


def test_pruning_deletes_what_it_saw_and_not_what_has_replaced_it(api: KubeApi, applier: Applier) -> None:
    uid = api.put(path("Deployment", "iris-canary"), made("Deployment", "iris-canary"))["metadata"]["uid"]
    applier.prune([])
    (deletion,) = api.requests("DELETE")
    assert deletion.data["preconditions"] == {"uid": uid}
    assert deletion.data["propagationPolicy"] == "Background"


def test_optional_kinds_that_are_unknown_or_not_ours_to_list_are_skipped(api: KubeApi, applier: Applier) -> None:
    api.unknown_kinds = {"httproutes"}
    for kind, plural, group in (
        ("Ingress", "ingresses", "networking.k8s.io"),
        ("Gateway", "gateways", "gateway.networking.k8s.io"),
    ):
        said = f'{plural} is forbidden: User "jane" cannot list resource "{plural}" in API group "{group}"'
        api.on("GET", path(kind), status(403, "Forbidden", f'{said} in the namespace "models"'))
    api.put(path("Service", "old"), made("Service", "old"))
    assert applier.prune([]) == ["Service/old"]


def test_a_kind_that_we_must_be_able_to_list_is_not_skipped(api: KubeApi, applier: Applier) -> None:
    said = (
        'services is forbidden: User "jane" cannot list resource "services" in API group "" in the namespace "models"'
    )
    api.on("GET", path("Service"), status(403, "Forbidden", said))
    with pytest.raises(DeniedError, match="jane may not list services in namespace models"):
        applier.prune([])


def test_a_plan_for_a_cluster_without_the_gateway_api_says_what_to_install(api: KubeApi, applier: Applier) -> None:
    api.unknown_kinds = {"httproutes", "gateways"}
    with pytest.raises(
        ConfigurationError, match=r"no HTTPRoute \(gateway.networking.k8s.io/v1\). Install the Gateway API"
    ):
        applier.plan([made("Service"), made("HTTPRoute")])


def test_a_plan_for_an_absent_namespace_says_how_to_make_it(api: KubeApi, applier: Applier) -> None:
    api.on("PATCH", path("Service", "iris"), not_found("namespaces", NAMESPACE))
    with pytest.raises(AbsentError, match="Run `kubectl create namespace models`"):
        applier.plan([made("Service")])


def test_a_plan_is_small_in_the_log_and_in_the_xcom() -> None:
    many = tuple(Change(f"spec.f{number}", "a" * 500, None) for number in range(60))
    plan = Plan((Planned("change", "Deployment/iris", many), *(Planned("remove", f"Service/s{i}") for i in range(60))))
    assert all(len(line) < 200 for line in plan.lines())
    assert plan.lines()[2] == f'    spec.f0: "{"a" * 119}... -> (none)'
    xcom = plan.as_xcom()
    assert xcom["change"]["Deployment/iris"][-1] == "and 20 more"
    assert xcom["remove"][-1] == "and 20 more"
    assert len(json.dumps(xcom)) < 3000
