from __future__ import annotations

import json

import pytest

from slipway.core.model_file import ModelFile
from slipway.network.endpoint import endpoints_of


def model(**more: object) -> ModelFile:
    return ModelFile.model_validate(
        {
            "model": "iris",
            "store": "s3://slipway",
            "dataset": {"uri": "s3://inbox/{{ ds }}.csv", "target": "species"},
            "train": {"estimator": "sklearn.linear_model.LogisticRegression"},
            **more,
        }
    )


def test_every_model_needs_its_dataset_and_its_store() -> None:
    assert endpoints_of(model(store_conn_id="aws_store")) == [
        {"name": "dataset", "kind": "source", "address": "s3://inbox/{{ ds }}.csv", "conn_id": None},
        {"name": "store", "kind": "store", "address": "s3://slipway", "conn_id": "aws_store"},
    ]


def test_a_security_group_needs_the_ec2_api_of_its_region() -> None:
    group = {"name": "iris-serving", "region": "eu-central-1", "conn_id": "aws_net"}
    assert endpoints_of(model(firewall=[{"aws_security_group": group}]))[2:] == [
        {"name": "security group iris-serving", "kind": "ec2", "address": "eu-central-1", "conn_id": "aws_net"}
    ]


def test_what_this_version_cannot_do_is_listed_to_fail_before_training() -> None:
    declared = model(
        image={"repository": "registry.example.com/iris"},
        deploy=[{"process": {}}, {"docker": {}}, {"kubernetes": {}}],
        https={"domain": "iris.example.com", "email": "ops@example.com"},
        access={"open": True},
    )
    assert [(each["name"], each["kind"]) for each in endpoints_of(declared)[2:]] == [
        ("registry registry.example.com/iris", "registry"),
        ("Docker engine docker_default", "docker"),
        ("Kubernetes kubernetes_default, namespace default", "kubernetes"),
        ("https", "unavailable"),
    ]


def test_each_engine_is_asked_once() -> None:
    image = {"repository": "registry.example.com/iris", "engine_conn_id": "builder", "conn_id": "reg"}
    declared = model(image=image, deploy=[{"docker": {"conn_id": "builder"}}], access={"open": True})
    assert endpoints_of(declared)[2:] == [
        {
            "name": "registry registry.example.com/iris",
            "kind": "registry",
            "address": "registry.example.com/iris",
            "conn_id": "reg",
        },
        {
            "name": "registry registry.example.com/slipway-serving",
            "kind": "registry",
            "address": "registry.example.com/slipway-serving",
            "conn_id": "reg",
        },
        {"name": "Docker engine builder", "kind": "docker", "address": "builder", "conn_id": "builder"},
    ]


def test_a_cluster_s_namespace_is_asked_once_for_what_the_model_needs_there() -> None:
    image = {"repository": "registry.example.com/iris"}
    gateway = {"gateway": {"host": "iris.example.com", "name": "public", "namespace": "edge"}}
    cluster = {"conn_id": "prod", "namespace": "models", "expose": gateway}
    pod = {"image": f"registry.example.com/slipway@sha256:{'a' * 64}", "conn_id": "prod", "namespace": "models"}
    train = {"estimator": "sklearn.linear_model.LogisticRegression", "pod": pod}
    declared = model(image=image, deploy=[{"kubernetes": cluster}], train=train, access={"open": True})
    assert endpoints_of(declared)[3:] == [
        {
            "name": "Kubernetes prod, namespace models",
            "kind": "kubernetes",
            "address": "models",
            "conn_id": "prod",
            "parts": ["role", "gateway", "training"],
        }
    ]
    elsewhere = {**train, "pod": {**pod, "namespace": "training"}}
    declared = model(image=image, deploy=[{"kubernetes": cluster}], train=elsewhere, access={"open": True})
    assert [(each["address"], each["parts"]) for each in endpoints_of(declared)[3:]] == [
        ("models", ["role", "gateway"]),
        ("training", ["training"]),
    ]


@pytest.mark.parametrize(
    ("expose", "parts"),
    [
        (None, ["role"]),
        ({"gateway": {"host": "iris.example.com", "name": "public"}}, ["role", "gateway"]),
        ({"gateway": {"host": "iris.example.com", "class_name": "envoy"}}, ["role", "gateway", "own_gateway"]),
        ({"ingress": {"host": "iris.example.com", "class_name": "nginx"}}, ["role", "ingress"]),
        ({"load_balancer": {"source_ranges": ["10.0.0.0/8"]}}, ["role"]),
    ],
)
def test_the_roles_are_those_of_what_leads_to_the_service(expose: dict[str, object] | None, parts: list[str]) -> None:
    image = {"repository": "registry.example.com/iris"}
    declared = model(image=image, deploy=[{"kubernetes": {"expose": expose}}], access={"open": True})
    assert endpoints_of(declared)[-1]["parts"] == parts


def test_the_list_is_json_with_the_jinja_left_in() -> None:
    found = endpoints_of(model(), "{{ params.dataset_uri }}")
    assert json.loads(json.dumps(found)) == found
    assert found[0]["address"] == "{{ params.dataset_uri }}"


def test_an_endpoint_that_is_not_open_needs_its_api_keys_before_anything_is_trained() -> None:
    assert {
        "name": "API keys flights_keys",
        "kind": "api_keys",
        "address": "flights_keys",
        "conn_id": "flights_keys",
    } in (endpoints_of(model(deploy=[{"process": {}}], access={"conn_id": "flights_keys"})))
    assert all(each["kind"] != "api_keys" for each in endpoints_of(model(access={"conn_id": "flights_keys"})))
