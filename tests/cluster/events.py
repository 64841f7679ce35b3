"""Events as the cluster's components record them: the same one again raises the count of the first."""

from __future__ import annotations

import secrets

from tests.cluster.status import StatusError
from tests.cluster.store import Object, Store


class Recorder:
    """Records events of one component (`deployment-controller`, `kubelet`), on one node if it is a node's."""

    def __init__(self, store: Store, component: str, node: str = "") -> None:
        self._store = store
        self._component = component
        self._node = node
        self._names: dict[tuple[str, ...], str] = {}

    def record(self, on: Object, reason: str, message: str, *, warning: bool = False, container: str = "") -> None:
        """An event about an object, or about a container of a pod."""
        key = (on["metadata"]["uid"], reason, message)
        namespace = on["metadata"].get("namespace") or "default"
        name = self._names.get(key)
        if name and self._counted(namespace, name):
            return
        event = self._event(on, reason, message, "Warning" if warning else "Normal", container)
        try:
            self._names[key] = self._store.create(event)["metadata"]["name"]
        except StatusError:
            return  # a namespace that ends takes no more events; nobody waits for one

    def _counted(self, namespace: str, name: str) -> bool:
        def again(event: Object) -> None:
            event["count"] += 1
            event["lastTimestamp"] = self._store.now()

        try:
            self._store.update("Event", namespace, name, again)
        except StatusError:
            return False
        return True

    def _event(self, on: Object, reason: str, message: str, severity: str, container: str) -> Object:
        meta, now = on["metadata"], self._store.now()
        namespace = meta.get("namespace") or "default"
        involved = {
            "apiVersion": on["apiVersion"],
            "kind": on["kind"],
            "name": meta["name"],
            "namespace": namespace,
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        }
        if container:
            involved["fieldPath"] = f"spec.containers{{{container}}}"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name']}.{secrets.token_hex(8)}", "namespace": namespace},
            "involvedObject": involved,
            "type": severity,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "eventTime": None,
            "source": {"component": self._component} | ({"host": self._node} if self._node else {}),
            "reportingComponent": self._component,
            "reportingInstance": self._node,
        }
