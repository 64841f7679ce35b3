"""What keeps requests from getting in, by the statuses of the objects on their way; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.cluster.resources import reference
from slipway.cluster.status import shown

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Gap:
    """What an object on the way lacks.

    Attributes:
        on: the object, ``HTTPRoute/iris``.
        why: what is wrong with it, in the words of its controller where it has any.
        fix: what to do.
        is_address: whether it only tells no address, which not every controller does.
    """

    on: str
    why: str
    fix: str
    is_address: bool = False


def find_gap(kind: str, obj: Object | None) -> Gap | None:
    """The first thing that is missing.

    Args:
        kind: Gateway, HTTPRoute, Ingress, or Service for one of type LoadBalancer.
        obj: as the API has it; None: there is none.
    """
    if obj is None:
        fix = f"Was it removed by hand, or does the cluster not know the kind {kind}? Deliver the model again."
        return Gap(kind, "this model has none", fix)
    if kind == "HTTPRoute":
        return _route_gap(obj)
    return (_gateway_gap(obj) if kind == "Gateway" else None) or _address_gap(obj)


def addresses(obj: Object) -> list[str]:
    """Where requests get in, by the status of a Gateway, an Ingress or a Service: IP addresses and names."""
    status = obj.get("status") or {}
    told = [*(status.get("addresses") or ()), *((status.get("loadBalancer") or {}).get("ingress") or ())]
    return [value for each in told if (value := each.get("value") or each.get("ip") or each.get("hostname"))]


def _gateway_gap(gateway: Object) -> Gap | None:
    status, kind = gateway.get("status") or {}, gateway.get("spec", {}).get("gatewayClassName")
    fix = f"Is there a GatewayClass {kind}, and does its controller run? {_describe(gateway)}"
    if not status.get("conditions"):
        return Gap(reference(gateway), "no controller has taken it up", fix)
    if why := _fault(gateway, status, ("Accepted",)):
        return Gap(reference(gateway), why, fix)
    for listener in status.get("listeners") or ():
        if why := _fault(gateway, listener, ("Accepted", "ResolvedRefs")):
            return Gap(reference(gateway), f"listener {listener.get('name')}: {why}", _listener_fix(gateway, why))
    if why := _fault(gateway, status, ("Programmed",)):
        return Gap(reference(gateway), why if addresses(gateway) else f"it has no address: {why}", fix)
    return None


def _listener_fix(gateway: Object, why: str) -> str:
    if "Certificate" not in why:
        return _describe(gateway)
    names = [
        each["name"]
        for listener in gateway["spec"].get("listeners") or ()
        for each in (listener.get("tls") or {}).get("certificateRefs") or ()
    ]
    space = gateway["metadata"].get("namespace")
    return f"Why is the certificate not there yet? kubectl describe certificate {' '.join(names)} -n {space}"


def _route_gap(route: Object) -> Gap | None:
    parents = (route.get("status") or {}).get("parents") or ()
    if not parents:
        wanted = [_parent(each) for each in route.get("spec", {}).get("parentRefs") or ()]
        fix = f"Is there a {' or '.join(wanted) or 'Gateway'}, and does its controller run? {_describe(route)}"
        return Gap(reference(route), "no Gateway's controller has taken it up", fix)
    faults = [_fault(route, each, ("Accepted", "ResolvedRefs")) for each in parents]
    if None in faults:
        return None
    return Gap(reference(route), str(faults[0]), f"Do the Gateway's listeners take it? {_describe(route)}")


def _address_gap(obj: Object) -> Gap | None:
    if addresses(obj):
        return None
    spec = obj.get("spec", {})
    who = {
        "Gateway": f"the controller of the GatewayClass {spec.get('gatewayClassName')}",
        "Ingress": f"the controller of the IngressClass {spec.get('ingressClassName')}",
    }.get(str(obj.get("kind")), "a controller of load balancers")
    fix = f"Does {who} run, and may it have a load balancer? {_describe(obj)}"
    return Gap(reference(obj), "it has no address yet", fix, is_address=True)


def _fault(obj: Object, of: Object, kinds: Sequence[str]) -> str | None:
    """The first condition that is not as it must be, or was told of an earlier form of the object."""
    generation = obj["metadata"].get("generation", 0)
    told = {each.get("type"): each for each in of.get("conditions") or ()}
    for condition in (told[kind] for kind in kinds if kind in told):
        kind, status = condition["type"], condition.get("status")
        if status != "True":
            return shown(
                f"{kind} is {status}, {condition.get('reason')}: {condition.get('message') or 'it says no more'}"
            )
        if condition.get("observedGeneration", generation) < generation:
            return f"{kind} was said of an earlier form of it; its controller has not looked since"
    return None


def _parent(ref: Object) -> str:
    section = f", listener {ref['sectionName']}" if ref.get("sectionName") else ""
    space = f" in {ref['namespace']}" if ref.get("namespace") else ""
    return f"Gateway {ref.get('name')}{space}{section}"


def _describe(obj: Object) -> str:
    metadata = obj["metadata"]
    kind, name, space = str(obj.get("kind")).lower(), metadata.get("name"), metadata.get("namespace")
    return f"kubectl describe {kind} {name} -n {space} says more."
