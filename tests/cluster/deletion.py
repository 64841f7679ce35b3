"""DELETE requests, and evictions."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.cluster import disruptions, listing
from tests.cluster.calls import Call
from tests.cluster.kinds import KINDS
from tests.cluster.store import Store

Object = dict[str, Any]

# What a DELETE of these answers is the object; of all others a Status, if nothing is left of the object.
_RETURNED_WHEN_DELETED = {"Pod", "Service", "ServiceAccount", "ResourceQuota"}


class Deletion:
    """Deletes from a store what requests name."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def delete(self, call: Call) -> web.Response:
        """DELETE of an object, with DeleteOptions in the body or the query."""
        return web.json_response(self._delete_one(call, call.namespace, call.route.name, call.parsed() or {}))

    def _delete_one(self, call: Call, namespace: str, name: str, options: Object) -> Object:
        conditions = options.get("preconditions") or {}
        grace = options.get("gracePeriodSeconds", call.query.get("gracePeriodSeconds"))
        asked = options.get("propagationPolicy") or call.query.get("propagationPolicy")
        dry_run = call.dry_run or "All" in (options.get("dryRun") or [])
        with self._store.lock:
            last = self._store.delete(
                call.kind.name,
                namespace,
                name,
                uid=conditions.get("uid"),
                version=conditions.get("resourceVersion"),
                grace_seconds=None if grace is None else int(grace),
                propagation=asked or ("Orphan" if call.kind.name == "Job" else "Background"),
                dry_run=dry_run,
            )
            if call.kind.name == "Namespace" and not dry_run:
                self._empty(name)
            left = self._store.find(call.kind.name, namespace, name)
        if left is not None or call.kind.name in _RETURNED_WHEN_DELETED:
            return last
        details = {"name": name, "group": call.kind.group, "kind": call.kind.plural, "uid": last["metadata"]["uid"]}
        shown = {key: value for key, value in details.items() if value}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": shown}

    def _empty(self, namespace: str) -> None:
        """All that was in a namespace goes with it."""
        for kind in KINDS.values():
            for obj in self._store.list(kind.name, namespace) if kind.namespaced else []:
                self._store.delete(kind.name, namespace, obj["metadata"]["name"], grace_seconds=0)

    def delete_collection(self, call: Call) -> web.Response:
        """DELETE of all that the selectors select."""
        options = call.parsed() or {}
        with self._store.lock:
            test = listing.selection_of(call.kind, call.query)
            found = [obj for obj in self._store.list(call.kind.name, call.route.namespace) if test(obj)]
            for obj in found:
                self._delete_one(call, obj["metadata"].get("namespace", ""), obj["metadata"]["name"], options)
        meta = {"resourceVersion": str(self._store.version)}
        body = {"kind": f"{call.kind.name}List", "apiVersion": call.kind.api_version, "metadata": meta, "items": found}
        return web.json_response(body)

    def evict(self, call: Call, pod: Object) -> web.Response:
        """A deletion that a PodDisruptionBudget may forbid. Raises StatusError 429."""
        options = (call.parsed() or {}).get("deleteOptions") or {}
        with self._store.lock:
            disruptions.check_eviction(self._store, pod)
            self._delete_one(call, call.namespace, call.route.name, options)
        return web.json_response(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, status=201
        )
