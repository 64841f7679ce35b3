"""Who may connect to a model's pods, in a NetworkPolicy's words; pure."""

from __future__ import annotations

from typing import Any

from slipway.core.kubernetes_section import Expose, KubernetesTarget

# Every namespace has this label, and nobody can give it to another one.
_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def sources(target: KubernetesTarget) -> list[dict[str, Any]]:
    """The peers: pods of the same namespace, whoever the model file names, and what brings in the traffic from outside."""
    return [
        {"podSelector": {}},
        *(_namespace(name) for name in dict.fromkeys(target.allow_from.namespaces)),
        *(_network(cidr) for cidr in dict.fromkeys(target.allow_from.cidrs)),
        *(_of_entry(target.expose, target.namespace) if target.expose else []),
    ]


def _of_entry(expose: Expose, namespace: str) -> list[dict[str, Any]]:
    if expose.load_balancer:
        # It, or the node it comes through, may put its own address in the client's place: here clients cannot be told apart.
        # What restricts them is the Service's loadBalancerSourceRanges.
        return [_network("0.0.0.0/0"), _network("::/0")]
    if expose.gateway and expose.gateway.name:
        return [_namespace(expose.gateway.namespace or namespace)]
    # Nothing tells in which namespace the proxies of an Ingress or a Gateway of a class run: most are in one of their own.
    return [{"namespaceSelector": {}}]


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: name}}}


def _network(cidr: str) -> dict[str, Any]:
    return {"ipBlock": {"cidr": cidr}}
