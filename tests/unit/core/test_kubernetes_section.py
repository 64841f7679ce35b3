"""What a person can get wrong about the target `kubernetes` is one error that says what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from slipway.core.errors import ConfigurationError
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.core.kubernetes_values import cpu_text, memory_bytes, millicores
from slipway.core.model_file import parse_model_file

ALL = """
conn_id: cluster
namespace: models
replicas: 3
workers: 2
cpu: 500m
cpu_limit: "2"
memory: 1Gi
autoscale: {maximum: 6, cpu_percent: 60}
expose: {gateway: {host: iris.example.com, name: public, namespace: gateways, tls: true}}
strategy: {canary: {steps: [5, 25, 75], analysis: {count: 2, maximum_latency_seconds: 0.2}}}
allow_from: {namespaces: [monitoring], cidrs: [10.0.0.0/8, 2001:DB8:0::/48]}
pull_secret: registry
force_conflicts: true
timeout_minutes: 5
"""
REST = """\
model: iris
store: s3://slipway
dataset: {uri: iris.csv, target: species}
train: {estimator: sklearn.linear_model.LogisticRegression}
image: {repository: registry.example.com/iris}
deploy:
  - kubernetes: """


def parse(section: str) -> KubernetesTarget:
    [deployment] = parse_model_file(REST + section, "x.yaml").deploy
    assert deployment.kubernetes is not None
    return deployment.kubernetes


def flow(**section: Any) -> str:
    return yaml.safe_dump(section, default_flow_style=True, width=10_000).strip()


def test_all_of_it_is_read() -> None:
    target = parse(flow(**yaml.safe_load(ALL)))
    assert target.expose is not None
    assert target.expose.gateway is not None
    assert (target.expose.gateway.name, target.expose.gateway.namespace) == ("public", "gateways")
    assert target.strategy is not None
    assert target.strategy.canary is not None
    assert target.strategy.canary.steps == (5, 25, 75)
    assert target.strategy.canary.analysis.count == 2
    assert target.resources == ("500m", "2", "1Gi")


def test_networks_are_spelled_as_the_cluster_spells_them() -> None:
    assert parse("{allow_from: {cidrs: ['2001:DB8:0::/48']}}").allow_from.cidrs == ("2001:db8::/48",)


def test_defaults() -> None:
    target = parse("{}")
    assert (target.conn_id, target.namespace, target.replicas) == ("kubernetes_default", "default", 2)
    assert target.resources == ("250m", "1", "512Mi")
    assert target.expose is None
    assert target.allow_from.namespaces == target.allow_from.cidrs == ()


@pytest.mark.parametrize(
    ("section", "kind"),
    [("{}", "rolling"), ("{strategy: {canary: {}}}", "canary"), ("{strategy: {blue_green: {}}}", "blue_green")],
)
def test_the_kind_of_strategy(section: str, kind: str) -> None:
    assert parse(section).strategy_kind == kind


@pytest.mark.parametrize(
    ("section", "resources"),
    [
        ("{workers: 4}", ("1", "4", "2048Mi")),
        ("{workers: 6}", ("1500m", "6", "3072Mi")),
        ("{cpu: '3'}", ("3", "3", "512Mi")),
        ("{cpu_limit: 200m}", ("200m", "200m", "512Mi")),
        ("{cpu: '1.5', cpu_limit: '2.0', memory: 300M}", ("1500m", "2", "300M")),
    ],
)
def test_a_default_gives_way_to_what_is_given_beside_it(section: str, resources: tuple[str, ...]) -> None:
    assert parse(section).resources == resources


GATEWAY = "{expose: {gateway: {host: iris.example.com, name: public}}}"
INGRESS = "{expose: {ingress: {host: iris.example.com, class_name: nginx}}}"
BALANCER = "{expose: {load_balancer: {source_ranges: [203.0.113.0/24]}}}"


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "{namespace: Models}",
            "deploy[0].kubernetes.namespace: found 'Models', allowed: at most 63 lower-case letters, digits and '-', the first",
        ),
        ("{namespace: a.b}", "namespace: found 'a.b'"),
        (f"{{namespace: {'a' * 64}}}", "namespace: found 'aaa"),
        ('{namespace: "models\\n"}', "namespace: found 'models\\n'"),
        ("{conn_id: ''}", "conn_id: found '', allowed: at least 1 character"),
        ("{replicas: 0}", "replicas: found 0, allowed: greater than or equal to 1"),
        ("{replica: 2}", "replica: found an unknown key, allowed: conn_id, namespace, replicas"),
        ("{replica: 2}", "(did you mean 'replicas'?)"),
        ("{workers: 65}", "workers: found 65, allowed: less than or equal to 64"),
        ("{cpu: true}", "cpu: found True, allowed: text; put quotes around"),
        ("{cpu: 0}", "cpu: found '0', allowed: text that matches"),
        ("{cpu: -1.5}", "cpu: found '-1.5', allowed: text that matches"),
        ("{cpu: .nan}", "cpu: found 'nan', allowed: text that matches"),
        ("{cpu_limit: 0.0001}", "cpu_limit: found '0.0001', allowed: text that matches"),
        ("{cpu: 500M}", "cpu: found '500M', allowed: text that matches"),
        ("{cpu: 500M}", "(Request, e.g. 500m or 2; default: 250m for each worker)"),
        ("{cpu: '0.000'}", "cpu: found '0.000'"),
        ("{cpu: '0'}", "cpu: found '0'"),
        ("{cpu: '-1'}", "cpu: found '-1'"),
        ("{cpu: 1e3}", "cpu: found '1e3'"),
        ("{cpu: '3', cpu_limit: '2'}", "allowed: cpu <= cpu_limit, not 3 > 2"),
        ("{memory: 512m}", "memory: found '512m', allowed: text that matches"),
        ("{memory: 512m}", "(Request and limit, e.g. 512Mi or 2Gi; default: 512Mi for each worker)"),
        ("{memory: 512}", "memory: found 512, allowed: text"),
        ("{memory: 512 Mi}", "memory: found '512 Mi'"),
        ("{memory: 512Ki}", "kubernetes.memory: found '512Ki', allowed: 16Mi or more"),
        (
            "{autoscale: {minimum: 2, maximum: 5}}",
            "autoscale.minimum: found an unknown key, allowed: maximum, cpu_percent (the least number is `replicas` of the",
        ),
        ("{autoscale: {maximum: 2}}", "allowed: replicas < autoscale.maximum, not 2 >= 2"),
        ("{replicas: 5, autoscale: {maximum: 3}}", "allowed: replicas < autoscale.maximum, not 5 >= 3"),
        ("{autoscale: {maximum: 3, cpu_percent: 0}}", "autoscale.cpu_percent: found 0"),
        ("{autoscale: {}}", "autoscale.maximum: found nothing, allowed: a value, the key is required"),
        (
            "{strategy: canary}",
            "strategy: found 'canary', allowed: {canary: {}} or {blue_green: {}}; leave strategy out for rolling",
        ),
        (
            "{strategy: {rolling: {}}}",
            "strategy.rolling: found an unknown key, allowed: canary, blue_green (leave strategy out for rolling)",
        ),
        ("{strategy: {blue-green: {}}}", "allowed: canary, blue_green (did you mean 'blue_green'?)"),
        ("{strategy: {}}", "strategy: found keys that do not go together, allowed: exactly one of canary, blue_green"),
        ("{strategy: {canary: {}, blue_green: {}}}", "allowed: exactly one of canary, blue_green"),
        ("{strategy: {canary: {steps: []}}}", "strategy.canary.steps: found [], allowed: at least 1 item"),
        ("{strategy: {canary: {steps: [50, 10]}}}", "steps: found [50, 10], allowed: percents of 1 to 99 that rise"),
        ("{strategy: {canary: {steps: [10, 10]}}}", "steps: found [10, 10], allowed: percents of 1 to 99 that rise"),
        ("{strategy: {canary: {steps: [10, 100]}}}", "steps[1]: found 100, allowed: less than or equal to 99"),
        ("{strategy: {canary: {steps: [0]}}}", "steps[0]: found 0, allowed: greater than or equal to 1"),
        ("{strategy: {canary: {steps: [12.5]}}}", "steps[0]: found 12.5, allowed: a valid integer"),
        (
            "{replicas: 1, strategy: {canary: {}}}",
            "allowed: strategy.canary together with expose.gateway, or with replicas of 2 or more",
        ),
        (
            "{strategy: {canary: {analysis: {maximum_error_rate: 2}}}}",
            "canary.analysis.maximum_error_rate: found 2, allowed: less than or equal to 1",
        ),
        ("{strategy: {canary: {analysis: {interval_seconds: 0}}}}", "interval_seconds: found 0, allowed: greater than"),
        ("{strategy: {canary: {analysis: {count: 0}}}}", "count: found 0"),
        ("{strategy: {canary: {analysis: {failure_limit: -1}}}}", "failure_limit: found -1"),
        ("{strategy: {canary: {analysis: {interval_seconds: .nan}}}}", "interval_seconds: found nan"),
        ("{expose: {}}", "allowed: exactly one of gateway, ingress, load_balancer"),
        (GATEWAY.replace(", name: public", ""), "allowed: exactly one of name (an existing Gateway) and class_name"),
        (GATEWAY.replace("name:", "class_name: eg, name:"), "allowed: exactly one of name (an existing Gateway)"),
        (GATEWAY.replace("name:", "namespace: x, class_name:"), "allowed: namespace together with name"),
        (GATEWAY.replace("name:", "tls: true, class_name:"), "allowed: tls together with name"),
        (GATEWAY.replace("name:", "issuer: x, name:"), "allowed: issuer together with class_name"),
        (INGRESS.replace("class_name: nginx", ""), "ingress.class_name: found nothing"),
        (INGRESS.replace("nginx", "nginx, issuer: a, tls_secret: b"), "allowed: issuer or tls_secret, not both"),
        (INGRESS.replace("nginx", "'nginx: {'"), "class_name: found 'nginx: {'"),
        (INGRESS.replace("nginx", "a" * 254), "class_name: found 'aaa"),
        (
            BALANCER.replace("203.0.113.0/24", "203.0.113.7/24"),
            "source_ranges[0]: found '203.0.113.7/24', allowed: a network in CIDR notation: 203.0.113.0/24 for the",
        ),
        (
            BALANCER.replace("203.0.113.0/24", "office"),
            "source_ranges[0]: found 'office', allowed: a network in CIDR notation, such as 203.0.113.0/24",
        ),
        (BALANCER.replace("203.0.113.0/24", ""), "source_ranges: found [], allowed: at least 1 item"),
        (
            BALANCER.replace("203.0.113.0/24", "0.0.0.0/0"),
            "who need it; `public: true` beside `source_ranges` would open",
        ),
        (BALANCER.replace("source_ranges", "port: 0, source_ranges"), "load_balancer.port: found 0"),
        ("{expose: {load_balancer: {}}}", "source_ranges: found nothing"),
        ("{allow_from: {namespaces: [Monitoring]}}", "allow_from.namespaces[0]: found 'Monitoring'"),
        ("{allow_from: {cidrs: [10.0.0.1/8]}}", "allow_from.cidrs[0]: found '10.0.0.1/8', allowed: a network in CIDR"),
        (
            "{allow_from: {cidrs: ['::/0']}}",
            "allow_from.cidrs: found ['::/0'], allowed: the networks of those who need",
        ),
        ("{pull_secret: my_secret}", "pull_secret: found 'my_secret'"),
        ("{timeout_minutes: 0}", "timeout_minutes: found 0, allowed: greater than 0"),
        ("{timeout_minutes: .inf}", "timeout_minutes: found inf"),
    ],
)
def test_an_error_says_what_was_found_and_what_is_allowed(section: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(section)
    assert expected in str(caught.value)
    assert str(caught.value).startswith("could not read the model file: x.yaml:7: deploy[0].kubernetes")


@pytest.mark.parametrize(
    "section",
    [
        BALANCER.replace("203.0.113.0/24", "203.0.113.7/24"),
        "{strategy: canary}",
        "{strategy: {rolling: {}}}",
        "{strategy: {canary: {steps: [0]}}}",
    ],
)
def test_one_mistake_is_one_error(section: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(section)
    assert str(caught.value).count("found") == 1


@pytest.mark.parametrize(("cpu", "text"), [(2, "2"), (0.5, "500m"), (2.0, "2"), (1.25, "1250m")])
def test_processors_may_be_a_number(cpu: float, text: str) -> None:
    assert parse(f"{{cpu: {cpu}, cpu_limit: {cpu}}}").resources[:2] == (text, text)


@pytest.mark.parametrize(
    "host",
    [
        "Iris.example.com",
        "https://iris.example.com",
        "iris.example.com:443",
        "*.example.com",
        "203.0.113.7",
        "iris..example.com",
        "-iris.example.com",
        "bücher.example",
        "iris_1.example.com",
        "iris.example.com.",
        "iris.example.com\n",
        "iris.example.com }}",
        "",
        f"{'a' * 64}.example.com",
        ".".join(["a" * 63] * 4),
    ],
)
def test_a_host_is_a_dns_name(host: str) -> None:
    section = flow(expose={"gateway": {"host": host, "name": "public"}})
    with pytest.raises(
        ConfigurationError, match=r"host: found .* allowed: a DNS name without scheme, port and wildcard"
    ):
        parse(section)


@pytest.mark.parametrize("host", ["iris.example.com", "models", "xn--bcher-kva.xn--p1ai", ".".join(["a" * 61] * 4)])
def test_dns_names_are_taken(host: str) -> None:
    expose = parse(flow(expose={"gateway": {"host": host, "class_name": "eg"}})).expose
    assert expose is not None
    assert expose.gateway is not None
    assert expose.gateway.host == host


def test_a_canary_of_one_replica_is_shared_by_a_gateway() -> None:
    section = GATEWAY.replace("{expose", "{replicas: 1, strategy: {canary: {}}, expose")
    assert parse(section).strategy_kind == "canary"


def test_the_world_may_come_in_where_the_file_says_public() -> None:
    expose = parse("{expose: {load_balancer: {public: true, source_ranges: [0.0.0.0/0]}}}").expose
    assert expose is not None
    assert expose.load_balancer is not None
    assert expose.load_balancer.source_ranges == ("0.0.0.0/0",)


@given(st.integers(1, 999_999))
def test_a_quantity_of_processors_means_the_same_in_every_spelling(thousandths: int) -> None:
    spellings = {f"{thousandths}m", cpu_text(thousandths), f"{thousandths / 1000:.3f}"}
    assert {millicores(text) for text in spellings} == {thousandths}
    assert all(
        KubernetesTarget.model_validate({"cpu": text}).resources.cpu == cpu_text(thousandths) for text in spellings
    )


@pytest.mark.parametrize(
    ("text", "count"),
    [("512Mi", 512 * 2**20), ("2G", 2 * 10**9), ("1Ti", 2**40), ("20000k", 20_000_000), ("3T", 3 * 10**12)],
)
def test_units_of_memory(text: str, count: int) -> None:
    assert memory_bytes(text) == count
    assert KubernetesTarget.model_validate({"memory": text}).resources.memory == text
