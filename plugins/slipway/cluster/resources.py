"""The kinds of objects that we speak about, and where the API serves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from slipway.core.errors import ConfigurationError


@dataclass(frozen=True)
class Resource:
    """One kind: `api_version` as manifests write it, e.g. ``apps/v1``; `plural` as paths and Roles do."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """As Roles write it; "" is the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def qualified(self) -> str:
        """As the API's own messages write it: ``deployments.apps``, ``pods``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Path of the collection, of one object, or of its subresource."""
        parts = ["apis" if self.group else "api", *self.api_version.split("/")]
        parts += ["namespaces", namespace] if self.namespaced else []
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)


_GATEWAY = "gateway.networking.k8s.io/v1"

RESOURCES: Mapping[str, Resource] = {
    resource.kind: resource
    for resource in (
        Resource("apps/v1", "Deployment", "deployments"),
        Resource("apps/v1", "ReplicaSet", "replicasets"),
        Resource("v1", "Pod", "pods"),
        Resource("v1", "Event", "events"),
        Resource("v1", "Service", "services"),
        Resource("v1", "ServiceAccount", "serviceaccounts"),
        Resource("v1", "ConfigMap", "configmaps"),
        Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
        Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
        Resource("networking.k8s.io/v1", "Ingress", "ingresses"),
        Resource(_GATEWAY, "HTTPRoute", "httproutes"),
        Resource(_GATEWAY, "Gateway", "gateways"),
        Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
        Resource("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False),
    )
}
"""By kind."""

PRUNED_KINDS = (
    "HTTPRoute",
    "Ingress",
    "Gateway",
    "HorizontalPodAutoscaler",
    "Service",
    "Deployment",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "ConfigMap",
    "ServiceAccount",
)
"""What we may remove when it is no longer declared; in this order: first what sends requests, then what answers them."""

OPTIONAL_KINDS = frozenset({"HTTPRoute", "Gateway", "Ingress"})
"""What a cluster may not have, and a Role may not name."""


def resource_of(obj: Mapping[str, Any]) -> Resource:
    """The kind of an object. Raises ConfigurationError: not one of ours, or in another version of its API."""
    resource = RESOURCES.get(str(obj.get("kind")))
    if resource is None or resource.api_version != obj.get("apiVersion"):
        known = ", ".join(f"{one.kind} ({one.api_version})" for one in RESOURCES.values())
        raise ConfigurationError(
            "could not use the manifest",
            on=f"{obj.get('kind')} ({obj.get('apiVersion')})",
            why="Slipway does not manage this kind in this version",
            fix=f"Use one of {known}.",
        )
    return resource


def reference(obj: Mapping[str, Any]) -> str:
    """How texts name an object: ``Deployment/iris``."""
    return f"{obj.get('kind')}/{obj.get('metadata', {}).get('name')}"
