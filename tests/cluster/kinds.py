"""The kinds that the stand-in cluster knows, as discovery lists them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Kind:
    """One kind of the API: `versioned` has metadata.generation; `subresources` besides the object itself."""

    group: str
    version: str
    name: str
    plural: str
    namespaced: bool = True
    versioned: bool = False
    subresources: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    create_only: bool = False

    @cached_property
    def api_version(self) -> str:
        """Group and version as an object's apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def resource(self) -> str:
        """Plural and group as in the API's messages: `deployments.apps`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @cached_property
    def qualified(self) -> str:
        """Kind and group as in the messages about invalid objects: `Deployment.apps`, `Pod`."""
        return f"{self.name}.{self.group}" if self.group else self.name


RBAC = "rbac.authorization.k8s.io"
GATEWAY_GROUP = "gateway.networking.k8s.io"

_ALL = (
    Kind("", "v1", "Namespace", "namespaces", namespaced=False, subresources=("status",), short_names=("ns",)),
    Kind("", "v1", "Node", "nodes", namespaced=False, subresources=("status",), short_names=("no",)),
    Kind(
        "",
        "v1",
        "Pod",
        "pods",
        versioned=True,
        subresources=("status", "log", "portforward", "eviction"),
        short_names=("po",),
    ),
    Kind("", "v1", "Service", "services", subresources=("status",), short_names=("svc",)),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", short_names=("sa",)),
    Kind("", "v1", "ConfigMap", "configmaps", short_names=("cm",)),
    Kind("", "v1", "Secret", "secrets"),
    Kind("", "v1", "Event", "events", short_names=("ev",)),
    Kind("", "v1", "Endpoints", "endpoints", short_names=("ep",)),
    Kind("", "v1", "ResourceQuota", "resourcequotas", subresources=("status",), short_names=("quota",)),
    Kind(
        "apps",
        "v1",
        "Deployment",
        "deployments",
        versioned=True,
        subresources=("status", "scale"),
        short_names=("deploy",),
    ),
    Kind(
        "apps", "v1", "ReplicaSet", "replicasets", versioned=True, subresources=("status", "scale"), short_names=("rs",)
    ),
    Kind("batch", "v1", "Job", "jobs", versioned=True, subresources=("status",)),
    Kind(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        subresources=("status",),
        short_names=("hpa",),
    ),
    Kind(
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        versioned=True,
        subresources=("status",),
        short_names=("pdb",),
    ),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", versioned=True, short_names=("netpol",)),
    Kind(
        "networking.k8s.io",
        "v1",
        "Ingress",
        "ingresses",
        versioned=True,
        subresources=("status",),
        short_names=("ing",),
    ),
    Kind("networking.k8s.io", "v1", "IngressClass", "ingressclasses", namespaced=False, versioned=True),
    Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", versioned=True),
    Kind(RBAC, "v1", "Role", "roles"),
    Kind(RBAC, "v1", "RoleBinding", "rolebindings"),
    Kind(RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    Kind(
        "authorization.k8s.io",
        "v1",
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
        namespaced=False,
        create_only=True,
    ),
    Kind(
        GATEWAY_GROUP,
        "v1",
        "GatewayClass",
        "gatewayclasses",
        namespaced=False,
        versioned=True,
        subresources=("status",),
        short_names=("gc",),
    ),
    Kind(GATEWAY_GROUP, "v1", "Gateway", "gateways", versioned=True, subresources=("status",), short_names=("gtw",)),
    Kind(GATEWAY_GROUP, "v1", "HTTPRoute", "httproutes", versioned=True, subresources=("status",)),
)

KINDS = {kind.name: kind for kind in _ALL}


def find_by_plural(group: str, version: str, plural: str) -> Kind | None:
    """The kind of a path's parts, or None."""
    wanted = (group, version, plural)
    return next((kind for kind in _ALL if (kind.group, kind.version, kind.plural) == wanted), None)
