"""Server-side apply through the real client: ownership, conflicts, removal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kubernetes.client import ApiException

from tests.cluster import Cluster
from tests.cluster.fields import decode, encode, text_of
from tests.unit.cluster_standin.conftest import DEPLOYMENTS, Client, deployment

IRIS = f"{DEPLOYMENTS}/iris"


def container(obj: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = obj["spec"]["template"]["spec"]["containers"][0]
    return found


def owned(obj: dict[str, Any], manager: str) -> set[str]:
    entries = [entry for entry in obj["metadata"]["managedFields"] if entry["manager"] == manager]
    return {text_of(path) for entry in entries for path in decode(entry["fieldsV1"])}


def failure(caught: pytest.ExceptionInfo[ApiException]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(caught.value.body)
    return found


def test_the_first_apply_creates_and_owns_what_it_says_and_no_default(client: Client) -> None:
    made = client.apply(IRIS, deployment())
    assert made["metadata"]["generation"] == 1
    assert made["spec"]["progressDeadlineSeconds"] == 600
    assert container(made)["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]
    assert owned(made, "slipway") == {
        ".metadata.labels.app",
        ".spec.replicas",
        ".spec.selector",
        ".spec.template.metadata.labels.app",
        '.spec.template.spec.containers[name="server"]',
        '.spec.template.spec.containers[name="server"].name',
        '.spec.template.spec.containers[name="server"].image',
        '.spec.template.spec.containers[name="server"].ports[containerPort=8080,protocol="TCP"]',
        '.spec.template.spec.containers[name="server"].ports[containerPort=8080,protocol="TCP"].containerPort',
        *(
            f'.spec.template.spec.containers[name="server"].env[name="{name}"]{below}'
            for name in ("WORKERS", "LEVEL")
            for below in ("", ".name", ".value")
        ),
    }


def test_applying_the_same_again_changes_nothing(client: Client, cluster: Cluster) -> None:
    first = client.apply(IRIS, deployment())
    seen: list[str] = []
    cluster.store.subscribe(lambda what, _: seen.append(what))
    assert client.apply(IRIS, deployment()) == first
    assert seen == []


def test_what_another_manager_set_is_a_conflict_with_field_and_owner(client: Client) -> None:
    client.apply(IRIS, deployment())
    client.call("PATCH", IRIS, {"spec": {"replicas": 5}}, "application/merge-patch+json", fieldManager="kubectl")
    with pytest.raises(ApiException) as caught:
        client.apply(IRIS, deployment())
    assert failure(caught) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas',
        "reason": "Conflict",
        "details": {
            "causes": [
                {
                    "reason": "FieldManagerConflict",
                    "message": 'conflict with "kubectl" using apps/v1',
                    "field": ".spec.replicas",
                }
            ]
        },
        "code": 409,
    }


def test_force_takes_a_field_from_its_owner(client: Client) -> None:
    client.apply(IRIS, deployment())
    client.call("PATCH", IRIS, {"spec": {"replicas": 5}}, "application/merge-patch+json", fieldManager="kubectl")
    forced = client.apply(IRIS, deployment(), force="true")
    assert forced["spec"]["replicas"] == 2
    assert owned(forced, "kubectl") == set()
    assert ".spec.replicas" in owned(forced, "slipway")


def test_several_conflicts_are_listed_by_owner(client: Client) -> None:
    client.apply(IRIS, deployment())
    with pytest.raises(ApiException) as caught:
        client.apply(IRIS, deployment(image="other", replicas=7), manager="argocd")
    assert failure(caught)["message"] == (
        'Apply failed with 2 conflicts: conflicts with "slipway":\n'
        '- .spec.replicas\n- .spec.template.spec.containers[name="server"].image'
    )


def test_the_same_value_may_have_two_owners_and_stays_while_one_is_left(client: Client) -> None:
    client.apply(IRIS, deployment())
    client.apply(IRIS, deployment(), manager="argocd")
    without = deployment()
    del without["spec"]["replicas"]
    kept = client.apply(IRIS, without)
    assert kept["spec"]["replicas"] == 2
    assert ".spec.replicas" not in owned(kept, "slipway")


def test_a_field_that_is_given_up_goes_or_gets_its_default(client: Client) -> None:
    client.apply(IRIS, deployment())
    fewer = deployment()
    del fewer["spec"]["replicas"]
    del container(fewer)["env"][0]
    del fewer["metadata"]["labels"]
    applied = client.apply(IRIS, fewer)
    assert applied["spec"]["replicas"] == 1
    assert container(applied)["env"] == [{"name": "LEVEL", "value": "info"}]
    assert "labels" not in applied["metadata"]


def test_items_of_others_in_the_same_list_stay(client: Client) -> None:
    client.apply(IRIS, deployment())
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "proxy", "image": "proxy:1"}]}}}}
    client.call("PATCH", IRIS, sidecar, "application/strategic-merge-patch+json", fieldManager="mesh")
    after = client.apply(IRIS, deployment(image="registry/iris@sha256:2"))
    names = {one["name"]: one["image"] for one in after["spec"]["template"]["spec"]["containers"]}
    assert names == {"server": "registry/iris@sha256:2", "proxy": "proxy:1"}


def test_a_removed_container_takes_its_defaults_with_it(client: Client) -> None:
    two = deployment()
    two["spec"]["template"]["spec"]["containers"].append({"name": "proxy", "image": "proxy:1"})
    client.apply(IRIS, two)
    one = client.apply(IRIS, deployment())
    assert [item["name"] for item in one["spec"]["template"]["spec"]["containers"]] == ["server"]


def test_the_autoscaler_owns_replicas_that_were_scaled(client: Client) -> None:
    client.apply(IRIS, deployment())
    scaled = client.call(
        "PATCH", f"{IRIS}/scale", {"spec": {"replicas": 4}}, "application/merge-patch+json", fieldManager="hpa"
    )
    assert (scaled["kind"], scaled["spec"]["replicas"]) == ("Scale", 4)
    with pytest.raises(ApiException) as caught:
        client.apply(IRIS, deployment())
    assert failure(caught)["message"] == (
        'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1: .spec.replicas'
    )
    undeclared = deployment()
    del undeclared["spec"]["replicas"]
    assert client.apply(IRIS, undeclared)["spec"]["replicas"] == 4


def test_a_status_is_written_apart_and_does_not_count_as_a_new_generation(client: Client) -> None:
    made = client.apply(IRIS, deployment())
    body = made | {"status": {"replicas": 2}, "spec": made["spec"] | {"replicas": 9}}
    written = client.call("PUT", f"{IRIS}/status", body, fieldManager="controller")
    assert (written["status"], written["spec"]["replicas"]) == ({"replicas": 2}, 2)
    assert written["metadata"]["generation"] == 1
    assert owned(written, "controller") == {".status.replicas"}
    assert client.apply(IRIS, deployment())["status"] == {"replicas": 2}


def test_a_change_of_the_spec_is_a_new_generation(client: Client) -> None:
    client.apply(IRIS, deployment())
    assert client.apply(IRIS, deployment(image="registry/iris@sha256:2"))["metadata"]["generation"] == 2


def test_a_dry_run_stores_nothing(client: Client, cluster: Cluster) -> None:
    tried = client.apply(IRIS, deployment(), dryRun="All")
    assert tried["spec"]["revisionHistoryLimit"] == 10
    assert cluster.store.find("Deployment", "models", "iris") is None
    client.apply(IRIS, deployment())
    before = cluster.store.get("Deployment", "models", "iris")
    assert client.apply(IRIS, deployment(replicas=9), dryRun="All")["spec"]["replicas"] == 9
    assert cluster.store.get("Deployment", "models", "iris") == before


def test_what_was_made_without_an_owner_belongs_to_before_first_apply(client: Client, cluster: Cluster) -> None:
    cluster.store.create(deployment() | {"metadata": {"name": "iris", "namespace": "models"}})
    with pytest.raises(ApiException) as caught:
        client.apply(IRIS, deployment(replicas=3))
    assert 'conflict with "before-first-apply" using apps/v1: .spec.replicas' in failure(caught)["message"]


def test_an_unknown_field_cannot_be_applied(client: Client) -> None:
    wrong = deployment()
    container(wrong)["imagine"] = 1
    with pytest.raises(ApiException) as caught:
        client.apply(IRIS, wrong)
    assert failure(caught)["message"] == (
        "failed to create typed patch object (models/iris; apps/v1, Kind=Deployment): "
        '.spec.template.spec.containers[name="server"].imagine: field not declared in schema'
    )


def test_a_manager_must_have_a_name(client: Client) -> None:
    with pytest.raises(ApiException) as caught:
        client.apply(IRIS, deployment(), manager="")
    assert failure(caught)["code"] == 422


def test_a_weighted_route_is_replaced_as_a_whole(client: Client) -> None:
    path = "/apis/gateway.networking.k8s.io/v1/namespaces/models/httproutes/iris"

    def route(**weights: int) -> dict[str, Any]:
        backends = [{"name": name, "port": 80, "weight": weight} for name, weight in weights.items()]
        spec = {"parentRefs": [{"name": "public"}], "rules": [{"backendRefs": backends}]}
        return {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "iris"},
            "spec": spec,
        }

    first = client.apply(path, route(iris=100))
    assert first["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert client.apply(path, route(iris=100)) == first
    second = client.apply(path, route(iris=90, canary=10))
    assert [one["weight"] for one in second["spec"]["rules"][0]["backendRefs"]] == [90, 10]
    assert second["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    "tree",
    [
        {"f:spec": {"f:replicas": {}}},
        {"f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}}, "f:finalizers": {'v:"a"': {}}}},
        {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}}},
    ],
)
def test_owned_fields_are_read_and_written_alike(tree: dict[str, Any]) -> None:
    assert encode(decode(tree)) == tree
