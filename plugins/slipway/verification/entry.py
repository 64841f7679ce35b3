"""The way in from outside, when it is not as it should be at the deadline: what is missing, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from slipway.cluster.entry_status import Gap, addresses, find_gap
from slipway.cluster.labels import MODEL
from slipway.core.errors import RolloutError, SlipwayError
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.verification.client import FAILED
from slipway.verification.pods import Lister
from slipway.verification.public_address import Lag

_MISSING = {
    "name": "DNS does not know its name",
    "connection": "nothing answers at its address",
    "certificate": "its certificate is not there, or this worker does not trust it",
    "route": "what answers does not lead to the model",
    "bundle": "another version answers",
}


@dataclass(frozen=True)
class Entry:
    """What the cluster says of the way in.

    Attributes:
        name: of its objects; empty: there are none.
        gap: what is missing.
        addresses: where requests get in.
        unread: why all of this is not known.
    """

    name: str = ""
    gap: Gap | None = None
    addresses: tuple[str, ...] = ()
    unread: str = ""


def read_entry(cluster: Lister, target: KubernetesTarget, model: str) -> Entry:
    """Read the objects that lead to the model; an error is no reason to say nothing."""
    try:
        found = {kind: next(iter(cluster.list(kind, {MODEL: model})), None) for kind in _kinds(target)}
    except SlipwayError as error:
        return Entry(unread=f"{error.failed}: {error.on}: {error.why}")
    there = [obj for obj in found.values() if obj]
    gaps = [gap for kind, obj in found.items() if (gap := find_gap(kind, obj))]
    told = [address for obj in there for address in addresses(obj)]
    return Entry(there[0]["metadata"]["name"] if there else "", gaps[0] if gaps else None, tuple(told))


def late(endpoint: str, lag: Lag, entry: Entry, target: KubernetesTarget) -> RolloutError:
    """The error of an address that did not become what it should in time.

    Args:
        endpoint: its URL.
        lag: what was seen of it last.
        entry: what the cluster says of it.
        target: the model file's section.
    """
    gap = entry.gap
    if gap and gap.is_address and lag.part in {"route", "bundle"}:
        gap = None  # somebody answers there: its controller merely tells no address
    told = [f"{gap.on}: {gap.why}"] if gap else [entry.unread] if entry.unread else []
    waited = f"in {target.timeout_minutes:g} min (timeout_minutes)"
    why = "; ".join([f"{_MISSING[lag.part]}, and that did not change {waited}", f"last seen: {lag.seen}", *told])
    return RolloutError(FAILED, on=endpoint, why=why, fix=gap.fix if gap else _advice(endpoint, lag, entry, target))


def _advice(endpoint: str, lag: Lag, entry: Entry, target: KubernetesTarget) -> str:
    host, at = urlsplit(endpoint).hostname or endpoint, " or ".join(entry.addresses) or "the address of its proxy"
    if lag.part == "name":
        return f"Make a DNS record that leads {host} to {at}, for Airflow's workers too."
    if lag.part == "connection":
        return f"Does DNS lead {host} to {at}, and do firewalls let Airflow's workers through?"
    if lag.part == "certificate":
        return _certificate_advice(host, entry, target)
    if lag.part == "bundle":
        shows = f"kubectl get pods -n {target.namespace} -L slipway.dev/bundle"
        return f"Does DNS lead {host} to {at}, and not to another cluster? Do pods of another version run? {shows}"
    return f"Does DNS lead {host} to {at}? What does the log of the proxy there say?"


def _certificate_advice(host: str, entry: Entry, target: KubernetesTarget) -> str:
    gateway, ingress = (target.expose.gateway, target.expose.ingress) if target.expose else (None, None)
    if (gateway and gateway.issuer) or (ingress and ingress.issuer):
        name = f"{entry.name}-tls" if entry.name else ""
        return f"Why is the certificate of {host} not there? kubectl describe certificate {name} -n {target.namespace}"
    where = f"the Secret {ingress.tls_secret}" if ingress else "the Gateway's listener for it"
    return f"Give {where} a certificate for {host} of an authority that Airflow's workers trust."


def _kinds(target: KubernetesTarget) -> tuple[str, ...]:
    """In the order in which requests come by; a Gateway only if it is ours: others may be out of our sight."""
    expose = target.expose
    if expose is None:
        return ()
    if expose.gateway:
        return ("HTTPRoute",) if expose.gateway.name else ("Gateway", "HTTPRoute")
    return ("Ingress",) if expose.ingress else ("Service",)
