"""The EndpointSlice controller: the pods of every Service, and whether they are ready."""

from __future__ import annotations

from tests.cluster.deployments import MANAGER
from tests.cluster.owners import is_ending, is_true, owned, owner_reference
from tests.cluster.store import Object, Store

SERVICE_LABEL = "kubernetes.io/service-name"


class EndpointSlices:
    """Keeps one EndpointSlice for each Service with a selector, each time `sync` is called."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sync(self) -> None:
        for service in self._store.list("Service"):
            if service["spec"].get("selector") and not is_ending(service):
                self._sync(service)

    def _sync(self, service: Object) -> None:
        wanted = self._slice_of(service)
        found = owned(self._store, "EndpointSlice", service)
        if not found:
            self._store.create(wanted, manager=MANAGER)
        elif any(found[0].get(part) != wanted[part] for part in ("endpoints", "ports")):
            self._store.put(found[0] | {part: wanted[part] for part in ("endpoints", "ports")}, manager=MANAGER)

    def _slice_of(self, service: Object) -> Object:
        meta = service["metadata"]
        pods = [
            pod
            for pod in self._store.list("Pod", meta["namespace"], service["spec"]["selector"])
            if pod.get("status", {}).get("podIP") and pod["status"].get("phase") not in {"Succeeded", "Failed"}
        ]
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "generateName": f"{meta['name']}-",
                "namespace": meta["namespace"],
                "labels": meta.get("labels", {})
                | {
                    SERVICE_LABEL: meta["name"],
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                },
                "ownerReferences": [owner_reference(service)],
            },
            "addressType": "IPv4",
            "endpoints": [_endpoint(pod) for pod in pods],
            "ports": [_port(port, pods) for port in service["spec"]["ports"]],
        }


def _endpoint(pod: Object) -> Object:
    """A pod that ends is not ready, whatever its probe says; it serves as long as it does."""
    ready, ending = is_true(pod, "Ready"), is_ending(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready and not ending, "serving": ready, "terminating": ending},
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": {
            "kind": "Pod",
            "name": pod["metadata"]["name"],
            "namespace": pod["metadata"]["namespace"],
            "uid": pod["metadata"]["uid"],
        },
    }


def _port(port: Object, pods: list[Object]) -> Object:
    target = port.get("targetPort", port["port"])
    if isinstance(target, str):
        target = next((number for pod in pods if (number := _named_port(pod, target))), None)
    return {"name": port.get("name", ""), "port": target, "protocol": port.get("protocol", "TCP")}


def _named_port(pod: Object, name: str) -> int | None:
    declared = (port for container in pod["spec"]["containers"] for port in container.get("ports", []))
    return next((port["containerPort"] for port in declared if port.get("name") == name), None)
