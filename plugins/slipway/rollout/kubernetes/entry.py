"""How requests get to a model's pods: Services, and a route or an Ingress in front of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.core.kubernetes_section import Gateway, Ingress, KubernetesTarget
from slipway.rollout.kubernetes.manifest_files import items, part
from slipway.rollout.kubernetes.names import Track

ISSUER = "cert-manager.io/cluster-issuer"


def split(weights: Mapping[Track, int]) -> tuple[Track, int]:
    """The track that serves, and the percent that the canary takes from it.

    Raises:
        ValueError: the weights do not sum to 100, or not exactly one of main, blue and green serves.
    """
    stable = [track for track in weights if track != "canary"]
    serving = [track for track in stable if weights[track]] or stable
    if sum(weights.values()) != 100 or min(weights.values()) < 0 or len(serving) != 1:
        raise ValueError(
            f"weights of one of main, blue and green, and of canary, with a sum of 100, not {dict(weights)}"
        )
    return serving[0], weights.get("canary", 0)


def fill_service(service: dict[str, Any], target: KubernetesTarget, selector: Mapping[str, str]) -> dict[str, Any]:
    """A Service that leads to the pods with these labels; as the cloud's load balancer where the file says so."""
    spec = part(service, "spec")
    spec["selector"] = dict(selector)
    balancer = target.expose.load_balancer if target.expose else None
    spec["type"] = "LoadBalancer" if balancer else "ClusterIP"
    spec["ports"] = [{"name": "http", "protocol": "TCP", "port": service_port(target), "targetPort": "http"}]
    spec.pop("loadBalancerSourceRanges", None)
    if balancer:
        spec["loadBalancerSourceRanges"] = list(dict.fromkeys(balancer.source_ranges))
    return service


def service_port(target: KubernetesTarget) -> int:
    """The port of the Service in front of the pods."""
    return target.expose.load_balancer.port if target.expose and target.expose.load_balancer else 80


def fill_route(
    route: dict[str, Any], gateway: Gateway, name: str, backends: Mapping[str, int], port: int
) -> dict[str, Any]:
    """An HTTPRoute from the Gateway to these Services, by weight."""
    spec = part(route, "spec")
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway.name or name}
    if gateway.name is None:
        # With TLS not at the listener without: an API key must not travel in the clear.
        parent["sectionName"] = "https" if gateway.issuer else "http"
    elif gateway.namespace:
        parent["namespace"] = gateway.namespace
    spec["parentRefs"] = [parent]
    spec["hostnames"] = [gateway.host]
    for rule in items(route, "spec", "rules"):
        rule["backendRefs"] = [
            {"kind": "Service", "name": service, "port": port, "weight": weight} for service, weight in backends.items()
        ]
    return route


def fill_gateway(ours: dict[str, Any], gateway: Gateway, name: str) -> dict[str, Any]:
    """A Gateway for this model alone; with a listener for TLS only where there is an issuer of certificates."""
    spec = part(ours, "spec")
    spec["gatewayClassName"] = gateway.class_name
    listeners = items(ours, "spec", "listeners")
    spec["listeners"] = [each for each in listeners if gateway.issuer or "tls" not in each]
    for listener in spec["listeners"]:
        listener["hostname"] = gateway.host
        if "tls" in listener:
            part(listener, "tls")["certificateRefs"] = [{"kind": "Secret", "name": f"{name}-tls"}]
    _annotate(ours, gateway.issuer)
    return ours


def fill_ingress(ours: dict[str, Any], ingress: Ingress, name: str) -> dict[str, Any]:
    """An Ingress to the Service; with TLS only where a certificate is there, or an issuer that makes one."""
    spec = part(ours, "spec")
    spec["ingressClassName"] = ingress.class_name
    for rule in items(ours, "spec", "rules"):
        rule["host"] = ingress.host
        for path in items(rule, "http", "paths"):
            path["backend"] = {"service": {"name": name, "port": {"name": "http"}}}
    spec.pop("tls", None)
    if ingress.issuer or ingress.tls_secret:
        spec["tls"] = [{"hosts": [ingress.host], "secretName": ingress.tls_secret or f"{name}-tls"}]
    _annotate(ours, ingress.issuer)
    return ours


def endpoint(target: KubernetesTarget, name: str) -> str:
    """The URL; inside the cluster where there is none outside, or where the cloud gives the load balancer its address."""
    expose = target.expose
    if expose and expose.gateway:
        return _url(expose.gateway.host, secured=bool(expose.gateway.issuer or expose.gateway.tls))
    if expose and expose.ingress:
        return _url(expose.ingress.host, secured=bool(expose.ingress.issuer or expose.ingress.tls_secret))
    port = service_port(target)
    return _url(f"{name}.{target.namespace}.svc{'' if port == 80 else f':{port}'}", secured=False)


def _url(host: str, *, secured: bool) -> str:
    return f"{'https' if secured else 'http'}://{host}"


def _annotate(ours: dict[str, Any], issuer: str | None) -> None:
    annotations = part(ours, "metadata", "annotations")
    annotations.pop(ISSUER, None)
    if issuer:
        annotations[ISSUER] = issuer
    if not annotations:
        del ours["metadata"]["annotations"]
