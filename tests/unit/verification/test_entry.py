"""What is missing on the way in from outside, by statuses of the shapes that controllers write; and the error that says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from slipway.cluster.entry_status import addresses, find_gap
from slipway.core.errors import DeniedError
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.verification.entry import Entry, late, read_entry
from slipway.verification.public_address import Lag

HOST = "iris.example.com"
WAITING = "Waiting for controller"


def obj(kind: str, *, generation: int = 1, spec: Any = None, **status: Any) -> dict[str, Any]:
    metadata = {"name": "iris", "namespace": "models", "generation": generation}
    return {"kind": kind, "metadata": metadata, "spec": spec or {}, "status": status}


def condition(kind: str, status: str = "True", reason: str = "", message: str = "", seen: int = 1) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason or kind, "message": message, "observedGeneration": seen}


def listener(name: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "conditions": list(conditions)}


def gateway(*conditions: dict[str, Any], address: str = "", listeners: Any = (), generation: int = 1) -> dict[str, Any]:
    tls = {"certificateRefs": [{"kind": "Secret", "name": "iris-tls"}]}
    spec = {"gatewayClassName": "envoy", "listeners": [{"name": "http"}, {"name": "https", "tls": tls}]}
    told = {"addresses": [{"type": "IPAddress", "value": address}]} if address else {}
    return obj(
        "Gateway", spec=spec, generation=generation, conditions=list(conditions), listeners=list(listeners), **told
    )


def route(*parents: list[dict[str, Any]], generation: int = 1) -> dict[str, Any]:
    spec = {"parentRefs": [{"kind": "Gateway", "name": "shared", "namespace": "infra", "sectionName": "https"}]}
    return obj("HTTPRoute", spec=spec, generation=generation, parents=[{"conditions": each} for each in parents])


GOOD = [condition("Accepted"), condition("Programmed")]
NO_CERTIFICATE = condition("ResolvedRefs", "False", "InvalidCertificateRef", "Secret iris-tls not found")
PROBLEMS = {
    "nobody's Gateway": (gateway(), "no controller has taken it up", "Is there a GatewayClass envoy, and does its"),
    "a Gateway as the API makes it": (
        gateway(condition("Accepted", "Unknown", "Pending", WAITING), condition("Programmed", "Unknown", "Pending")),
        "Accepted is Unknown, Pending: Waiting for controller",
        "GatewayClass envoy",
    ),
    "no address": (
        gateway(condition("Accepted"), condition("Programmed", "False", "AddressNotAssigned", "none is free")),
        "it has no address: Programmed is False, AddressNotAssigned: none is free",
        "kubectl describe gateway iris -n models",
    ),
    "no address told": (gateway(*GOOD), "it has no address yet", "the controller of the GatewayClass envoy"),
    "no certificate": (
        gateway(*GOOD, address="10.0.0.7", listeners=[listener("http", *GOOD), listener("https", NO_CERTIFICATE)]),
        "listener https: ResolvedRefs is False, InvalidCertificateRef: Secret iris-tls not found",
        "kubectl describe certificate iris-tls -n models",
    ),
    "nobody's route": (
        route(),
        "no Gateway's controller has taken it up",
        "Is there a Gateway shared in infra, listener https",
    ),
    "a refused route": (
        route([condition("Accepted", "False", "NotAllowedByListeners", "not from here")]),
        "Accepted is False, NotAllowedByListeners: not from here",
        "kubectl describe httproute iris -n models",
    ),
    "no backend": (
        route([condition("Accepted"), condition("ResolvedRefs", "False", "BackendNotFound")]),
        "ResolvedRefs is False, BackendNotFound: it says no more",
        "describe httproute",
    ),
    "a route whose change was not seen": (
        route([condition("Accepted", seen=2), condition("ResolvedRefs", seen=2)], generation=3),
        "Accepted was said of an earlier form of it",
        "describe httproute",
    ),
    "nobody's Ingress": (
        obj("Ingress", spec={"ingressClassName": "nginx"}, loadBalancer={}),
        "it has no address yet",
        "the controller of the IngressClass nginx",
    ),
    "no load balancer": (obj("Service", loadBalancer={}), "it has no address yet", "a controller of load balancers"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_is_missing_is_said_with_what_to_do(name: str) -> None:
    found, why, fix = PROBLEMS[name]
    gap = find_gap(found["kind"], found)
    assert gap is not None
    assert gap.on == f"{found['kind']}/iris"
    assert gap.why.startswith(why)
    assert fix in gap.fix


@pytest.mark.parametrize(
    "fine",
    [
        gateway(*GOOD, address="10.0.0.7", listeners=[listener("https", *GOOD, condition("ResolvedRefs"))]),
        gateway(condition("Accepted"), address="10.0.0.7"),
        route([condition("Accepted"), condition("ResolvedRefs")]),
        route([condition("Accepted", "False")], [condition("Accepted"), condition("ResolvedRefs")]),
        obj("Ingress", loadBalancer={"ingress": [{"hostname": "lb.example.com"}]}),
        obj("Service", loadBalancer={"ingress": [{"ip": "10.0.0.7"}]}),
    ],
)
def test_nothing_is_missing(fine: dict[str, Any]) -> None:
    assert find_gap(fine["kind"], fine) is None


def test_an_object_that_is_not_there_is_missing() -> None:
    gap = find_gap("HTTPRoute", None)
    assert gap is not None
    assert (gap.on, gap.why) == ("HTTPRoute", "this model has none")


def test_addresses_are_told_in_each_kinds_way() -> None:
    balancer = {"ingress": [{"ip": "10.0.0.7"}, {"hostname": "lb.example.com", "ports": []}]}
    assert addresses(obj("Ingress", loadBalancer=balancer)) == ["10.0.0.7", "lb.example.com"]
    assert addresses(gateway(address="10.0.0.8")) == ["10.0.0.8"]
    assert addresses({"kind": "Gateway", "metadata": {"name": "iris"}}) == []


class Objects:
    """A cluster's objects of a model, one of a kind."""

    def __init__(self, *given: dict[str, Any]) -> None:
        self.given, self.asked = given, list[str]()

    def list(self, kind: str, labels: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        assert labels == {"slipway.dev/model": "Iris"}
        self.asked.append(kind)
        return [each for each in self.given if each["kind"] == kind]


def target(**expose: Any) -> KubernetesTarget:
    return KubernetesTarget.model_validate({"namespace": "models", "timeout_minutes": 7, "expose": expose})


OURS = target(gateway={"host": HOST, "class_name": "envoy", "issuer": "letsencrypt"})
SHARED = target(gateway={"host": HOST, "name": "shared", "tls": True})
INGRESS = target(ingress={"host": HOST, "class_name": "nginx", "tls_secret": "wildcard"})
BALANCER = target(load_balancer={"source_ranges": ["10.0.0.0/8"]})


@pytest.mark.parametrize(
    ("section", "kinds"),
    [(OURS, ["Gateway", "HTTPRoute"]), (SHARED, ["HTTPRoute"]), (INGRESS, ["Ingress"]), (BALANCER, ["Service"])],
)
def test_only_what_is_ours_is_read(section: KubernetesTarget, kinds: list[str]) -> None:
    cluster = Objects()
    entry = read_entry(cluster, section, "Iris")
    assert cluster.asked == kinds
    assert entry.gap is not None
    assert entry.gap.on == kinds[0]


def test_what_comes_first_on_the_way_is_the_gap() -> None:
    entry = read_entry(Objects(gateway(), route()), OURS, "Iris")
    assert entry.gap is not None
    assert (entry.name, entry.gap.on) == ("iris", "Gateway/iris")
    entry = read_entry(Objects(gateway(*GOOD, address="10.0.0.7"), route()), OURS, "Iris")
    assert entry.gap is not None
    assert (entry.addresses, entry.gap.on) == (("10.0.0.7",), "HTTPRoute/iris")


def test_a_cluster_that_refuses_is_told_of() -> None:
    class Refuses(Objects):
        def list(self, kind: str, labels: Mapping[str, str] | None = None) -> Any:
            raise DeniedError("could not list the Gateways", on="models", why="it may not", fix="Apply the Role.")

    assert read_entry(Refuses(), OURS, "Iris") == Entry(unread="could not list the Gateways: models: it may not")


THERE = Entry("iris", None, ("10.0.0.7",))


@pytest.mark.parametrize(
    ("part", "section", "fix"),
    [
        ("name", OURS, f"Make a DNS record that leads {HOST} to 10.0.0.7, for Airflow's workers too."),
        ("connection", OURS, f"Does DNS lead {HOST} to 10.0.0.7, and do firewalls let Airflow's workers through?"),
        ("certificate", OURS, "kubectl describe certificate iris-tls -n models"),
        ("certificate", SHARED, f"Give the Gateway's listener for it a certificate for {HOST}"),
        ("certificate", INGRESS, f"Give the Secret wildcard a certificate for {HOST}"),
        ("route", INGRESS, f"Does DNS lead {HOST} to 10.0.0.7?"),
        ("bundle", OURS, "and not to another cluster? Do pods of another version run? kubectl get pods -n models"),
    ],
)
def test_where_the_cluster_sees_no_fault_the_last_try_says_what_to_do(
    part: Any, section: KubernetesTarget, fix: str
) -> None:
    error = late(f"https://{HOST}", Lag(part, "what was seen"), THERE, section)
    assert (error.on, error.failed) == (f"https://{HOST}", "could not verify the endpoint")
    assert error.why.endswith("and that did not change in 7 min (timeout_minutes); last seen: what was seen")
    assert fix in error.fix


def test_an_address_that_is_merely_not_told_is_no_reason_where_somebody_answers_there() -> None:
    entry = read_entry(Objects(obj("Ingress", spec={"ingressClassName": "nginx"})), INGRESS, "Iris")
    lost = late(f"https://{HOST}", Lag("name", "unknown"), entry, INGRESS)
    assert "Ingress/iris: it has no address yet" in lost.why
    astray = late(f"https://{HOST}", Lag("route", "status 404"), entry, INGRESS)
    assert "Ingress/iris" not in astray.why
    assert astray.fix.startswith(f"Does DNS lead {HOST} to the address of its proxy?")
