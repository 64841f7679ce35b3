"""What is applied for a model: each section of the model file, and each track, as the objects they become."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway.core.errors import ConfigurationError
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.core.serving_folder import serving_folder
from slipway.rollout.kubernetes.manifests import Manifests
from slipway.rollout.kubernetes.names import Track
from tests.unit.rollout.kubernetes.models import HASHES, TRACKS, VERSION

EXISTING = {"gateway": {"host": "iris.example.com", "name": "public", "namespace": "gateways"}}
OURS = {"gateway": {"host": "iris.example.com", "class_name": "eg", "issuer": "letsencrypt"}}
INGRESS = {"ingress": {"host": "iris.example.com", "class_name": "traefik"}}
BALANCER = {"load_balancer": {"source_ranges": ["203.0.113.0/24", "2001:db8::/32"], "port": 8000}}


def manifests(**section: Any) -> Manifests:
    return Manifests("iris", KubernetesTarget.model_validate({"namespace": "models", **section}))


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    [found] = [each for each in objects if each["kind"] == kind]
    return found


def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def server(deployment: dict[str, Any]) -> dict[str, Any]:
    [container] = pod(deployment)["containers"]
    assert isinstance(container, dict)
    return container


def sources(**section: Any) -> list[dict[str, Any]]:
    [rule] = one(manifests(**section).foundation(VERSION), "NetworkPolicy")["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]
    peers: list[dict[str, Any]] = rule["from"]
    return peers


def namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def test_what_a_version_stands_on() -> None:
    made = manifests().foundation(VERSION)
    assert [each["kind"] for each in made] == ["ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "ConfigMap"]
    assert {each["metadata"]["namespace"] for each in made} == {"models"}
    assert one(made, "ServiceAccount")["automountServiceAccountToken"] is False
    assert one(made, "ConfigMap")["data"] == {"hashes": " ".join(HASHES)}
    assert one(made, "NetworkPolicy")["spec"]["egress"] == []


def test_an_open_endpoint_has_no_keys() -> None:
    is_open = replace(VERSION, key_hashes=None)
    assert "ConfigMap" not in [each["kind"] for each in manifests().foundation(is_open)]
    container = server(manifests().workload("main", is_open, 2))
    assert container["args"] == ["serve", "--open"]
    assert [each["name"] for each in container["env"]] == ["SLIPWAY_BUNDLE_DIGEST", "SLIPWAY_WORKERS"]


def test_other_keys_are_another_config_map_and_other_pods() -> None:
    fewer = replace(VERSION, key_hashes=HASHES[:1])
    names = [one(manifests().foundation(each), "ConfigMap")["metadata"]["name"] for each in (VERSION, fewer)]
    used = [
        env["valueFrom"]["configMapKeyRef"]["name"]
        for each in (VERSION, fewer)
        for env in server(manifests().workload("main", each, 2))["env"]
        if env["name"] == "SLIPWAY_API_KEY_HASHES"
    ]
    assert names == used
    assert len(set(names)) == 2


def test_a_rate_is_told_to_the_server() -> None:
    limited = replace(VERSION, requests_per_second=1234567.0, burst=7)
    assert server(manifests().workload("main", limited, 2))["args"] == [
        "serve", "--requests-per-second", "1234567", "--burst", "7",
    ]  # fmt: skip


def test_the_deployment_of_a_version() -> None:
    target = manifests(pull_secret="registry", timeout_minutes=0.51)
    version = replace(VERSION, workers=3, cpu="700m", cpu_limit="3", memory="2Gi")
    deployment = target.workload("main", version, 5)
    assert deployment["metadata"]["annotations"] == {
        "slipway.dev/version": version.annotation(),
        "slipway.dev/version-id": target.version_id(version),
    }
    assert deployment["spec"]["replicas"] == 5
    assert deployment["spec"]["progressDeadlineSeconds"] == 31
    assert pod(deployment)["imagePullSecrets"] == [{"name": "registry"}]
    container = server(deployment)
    assert container["image"] == version.image
    assert {"name": "SLIPWAY_WORKERS", "value": "3"} in container["env"]
    assert container["resources"] == {
        "requests": {"cpu": "700m", "memory": "2Gi"},
        "limits": {"cpu": "3", "memory": "2Gi"},
    }


@pytest.mark.parametrize(
    ("expose", "track", "traffic"),
    [
        (None, "main", "main"),
        (None, "canary", "main"),
        (INGRESS, "canary", "main"),
        (BALANCER, "canary", "main"),
        (EXISTING, "canary", "canary"),
        (OURS, "canary", "canary"),
        (None, "blue", "blue"),
        (EXISTING, "green", "green"),
    ],
)
def test_a_canary_shares_the_service_only_where_no_route_splits_the_traffic(
    expose: dict[str, Any] | None, track: Track, traffic: str
) -> None:
    target = manifests(expose=expose)
    labels = target.workload(track, VERSION, 1)["spec"]["template"]["metadata"]["labels"]
    assert labels["slipway.dev/traffic"] == traffic
    assert labels["slipway.dev/track"] == track
    assert labels["slipway.dev/bundle"] == "b" * 12
    assert target.weighted is ("gateway" in (expose or {}))


def test_replicas_of_an_autoscaler_are_not_declared() -> None:
    target = manifests(autoscale={"maximum": 9, "cpu_percent": 55})
    assert "replicas" not in target.workload("blue", VERSION, None)["spec"]
    scaler = target.autoscaler("blue")
    assert scaler is not None
    assert scaler["metadata"]["name"] == "iris"
    assert scaler["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "iris-blue"}
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 9)
    [metric] = scaler["spec"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 55}}
    assert manifests().autoscaler("main") is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"image": "registry.example.com/iris:latest"}, "image 'registry.example.com/iris:latest': it is no image"),
        ({"image": "registry.example.com/iris"}, "it is no image"),
        ({"image": f"iris@sha256:{'a' * 64}"}, "it is no image"),
        ({"image": f"registry.example.com/$(HOME)@sha256:{'a' * 64}"}, "it is no image"),
        ({"digest": "sha256:123"}, "bundle digest 'sha256:123': it is no bundle digest"),
        ({"digest": "$(SLIPWAY_WORKERS)"}, "it is no bundle digest"),
        ({"key_hashes": ()}, "no API key may ask it"),
    ],
)
def test_only_what_is_named_by_its_digest_is_rolled_out(change: dict[str, Any], why: str) -> None:
    wrong = replace(VERSION, **change)
    for make in (manifests().foundation, lambda version: manifests().workload("main", version, 2)):
        with pytest.raises(ConfigurationError) as caught:
            make(wrong)
        assert why in str(caught.value)


def test_a_version_has_one_id_on_every_track_and_another_where_its_pods_are_others(tmp_path: Path) -> None:
    ids = {
        each["metadata"]["annotations"]["slipway.dev/version-id"]
        for target in (manifests(expose=EXISTING), manifests(replicas=7, timeout_minutes=3))
        for each in (target.workload(track, VERSION, 1) for track in TRACKS)
    }
    assert ids == {manifests().version_id(VERSION)}
    for path in (serving_folder() / "k8s").glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text().replace("seconds: 15", "seconds: 16"))
    changed = Manifests("iris", KubernetesTarget(namespace="models"), tmp_path)
    others = {
        manifests(pull_secret="registry").version_id(VERSION),
        manifests().version_id(replace(VERSION, workers=2)),
        changed.version_id(VERSION),
    }
    assert len(others | ids) == 4


@pytest.mark.parametrize(
    ("section", "more"),
    [
        ({}, []),
        (
            {"allow_from": {"namespaces": ["monitoring", "monitoring"], "cidrs": ["10.0.0.0/8"]}},
            [namespace("monitoring"), {"ipBlock": {"cidr": "10.0.0.0/8"}}],
        ),
        ({"expose": EXISTING}, [namespace("gateways")]),
        ({"expose": {"gateway": {"host": "iris.example.com", "name": "public"}}}, [namespace("models")]),
        ({"expose": OURS}, [{"namespaceSelector": {}}]),
        ({"expose": INGRESS}, [{"namespaceSelector": {}}]),
        ({"expose": BALANCER}, [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]),
    ],
)
def test_who_may_connect(section: dict[str, Any], more: list[dict[str, Any]]) -> None:
    assert sources(**section) == [{"podSelector": {}}, *more]


@pytest.mark.parametrize(
    ("expose", "kinds", "url"),
    [
        (None, [], "http://iris.models.svc"),
        (EXISTING, ["HTTPRoute"], "http://iris.example.com"),
        ({"gateway": EXISTING["gateway"] | {"tls": True}}, ["HTTPRoute"], "https://iris.example.com"),
        (OURS, ["Gateway", "HTTPRoute"], "https://iris.example.com"),
        (
            {"gateway": {"host": "iris.example.com", "class_name": "eg"}},
            ["Gateway", "HTTPRoute"],
            "http://iris.example.com",
        ),
        (INGRESS, ["Ingress"], "http://iris.example.com"),
        ({"ingress": INGRESS["ingress"] | {"issuer": "letsencrypt"}}, ["Ingress"], "https://iris.example.com"),
        ({"ingress": INGRESS["ingress"] | {"tls_secret": "wildcard"}}, ["Ingress"], "https://iris.example.com"),
        (BALANCER, [], "http://iris.models.svc:8000"),
        ({"load_balancer": {"source_ranges": ["203.0.113.0/24"]}}, [], "http://iris.models.svc"),
    ],
)
def test_ways_in(expose: dict[str, Any] | None, kinds: list[str], url: str) -> None:
    target = manifests(expose=expose)
    assert [each["kind"] for each in target.entry({"main": 100})] == ["Service", *kinds]
    assert target.endpoint() == url


def test_a_load_balancer_lets_in_who_is_named() -> None:
    [service] = manifests(expose=BALANCER).entry({"main": 100})
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["loadBalancerSourceRanges"] == ["203.0.113.0/24", "2001:db8::/32"]
    assert service["spec"]["ports"] == [{"name": "http", "protocol": "TCP", "port": 8000, "targetPort": "http"}]
    [service] = manifests().entry({"main": 100})
    assert service["spec"]["type"] == "ClusterIP"
    assert "loadBalancerSourceRanges" not in service["spec"]


def test_a_route_splits_the_traffic_by_weight() -> None:
    made = manifests(expose=EXISTING).entry({"main": 90, "canary": 10})
    assert [(each["kind"], each["metadata"]["name"]) for each in made] == [
        ("Service", "iris"),
        ("Service", "iris-canary"),
        ("HTTPRoute", "iris"),
    ]
    spec = made[-1]["spec"]
    assert spec["hostnames"] == ["iris.example.com"]
    assert spec["parentRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "namespace": "gateways"}
    ]
    [rule] = spec["rules"]
    assert rule["backendRefs"] == [
        {"kind": "Service", "name": "iris", "port": 80, "weight": 90},
        {"kind": "Service", "name": "iris-canary", "port": 80, "weight": 10},
    ]


@pytest.mark.parametrize(
    ("weights", "backends"),
    [
        ({"main": 100}, {"iris": 100}),
        ({"main": 100, "canary": 0}, {"iris": 100}),
        ({"main": 0, "canary": 100}, {"iris": 0, "iris-canary": 100}),
        ({"blue": 100}, {"iris": 100}),
        ({"blue": 0, "green": 100}, {"iris": 100}),
    ],
)
def test_only_backends_with_traffic_stand_beside_the_main_one(
    weights: dict[Track, int], backends: dict[str, int]
) -> None:
    made = manifests(expose=EXISTING).entry(weights)
    [rule] = one(made, "HTTPRoute")["spec"]["rules"]
    assert {each["name"]: each["weight"] for each in rule["backendRefs"]} == backends
    assert {each["metadata"]["name"] for each in made if each["kind"] == "Service"} == set(backends)


@pytest.mark.parametrize(
    "weights", [{}, {"main": 99}, {"canary": 100}, {"blue": 50, "green": 50}, {"main": 110, "canary": -10}]
)
def test_weights_that_cannot_be_are_refused(weights: dict[Track, int]) -> None:
    with pytest.raises(ValueError, match="with a sum of 100"):
        manifests(expose=EXISTING).entry(weights)


@pytest.mark.parametrize("weights", [{"main": 100}, {"main": 90, "canary": 10}])
def test_without_a_gateway_a_split_is_one_of_pods(weights: dict[Track, int]) -> None:
    [service] = manifests().entry(weights)
    assert service["spec"]["selector"] == {"slipway.dev/model": "iris", "slipway.dev/traffic": "main"}


def test_a_gateway_of_our_own_with_tls_takes_no_request_in_the_clear() -> None:
    made = manifests(expose=OURS).entry({"main": 100})
    gateway, route = one(made, "Gateway"), one(made, "HTTPRoute")
    assert gateway["metadata"]["annotations"] == {"cert-manager.io/cluster-issuer": "letsencrypt"}
    assert gateway["spec"]["gatewayClassName"] == "eg"
    listeners = {each["name"]: each for each in gateway["spec"]["listeners"]}
    assert {name: each["hostname"] for name, each in listeners.items()} == dict.fromkeys(
        ("http", "https"), "iris.example.com"
    )
    assert listeners["https"]["tls"]["certificateRefs"] == [{"kind": "Secret", "name": "iris-tls"}]
    [parent] = route["spec"]["parentRefs"]
    assert (parent["name"], parent["sectionName"]) == ("iris", "https")


def test_a_gateway_of_our_own_without_an_issuer_has_no_listener_for_tls() -> None:
    made = manifests(expose={"gateway": {"host": "iris.example.com", "class_name": "eg"}}).entry({"main": 100})
    gateway, route = one(made, "Gateway"), one(made, "HTTPRoute")
    assert "annotations" not in gateway["metadata"]
    assert [each["name"] for each in gateway["spec"]["listeners"]] == ["http"]
    assert route["spec"]["parentRefs"][0]["sectionName"] == "http"


@pytest.mark.parametrize(
    ("more", "annotations", "secret"),
    [
        ({}, None, None),
        ({"issuer": "letsencrypt"}, {"cert-manager.io/cluster-issuer": "letsencrypt"}, "iris-tls"),
        ({"tls_secret": "wildcard"}, None, "wildcard"),
    ],
)
def test_an_ingress(more: dict[str, str], annotations: dict[str, str] | None, secret: str | None) -> None:
    ingress = one(manifests(expose={"ingress": INGRESS["ingress"] | more}).entry({"main": 100}), "Ingress")
    assert ingress["metadata"].get("annotations") == annotations
    assert ingress["spec"].get("tls") == ([{"hosts": ["iris.example.com"], "secretName": secret}] if secret else None)
    assert ingress["spec"]["ingressClassName"] == "traefik"
    [rule] = ingress["spec"]["rules"]
    assert rule["host"] == "iris.example.com"
    assert rule["http"]["paths"] == [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "iris", "port": {"name": "http"}}}}
    ]
