"""The verbs of the API on the store: what a request does, without HTTP."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.cluster import decoding, patches, scaling, status
from tests.cluster.apply import apply
from tests.cluster.kinds import GATEWAY_GROUP, Kind
from tests.cluster.status import StatusError
from tests.cluster.store import Store

Object = dict[str, Any]

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


@dataclass
class Write:
    """How a request writes: who by (`manager` of fields), whether only to try, how strictly it is checked."""

    manager: str
    dry_run: bool = False
    force: bool = False
    validation: str = "Warn"
    subresource: str = ""
    may_create: Callable[[], None] = lambda: None  # raises StatusError
    warnings: list[str] = field(default_factory=list)


class Registry:
    """Creates, replaces, patches and applies objects. Errors are StatusError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, kind: Kind, namespace: str, body: Any, write: Write) -> Object:
        """POST of an object."""
        obj = decoding.decode(kind, body, namespace=namespace)
        write.warnings += decoding.check_schema(kind, obj, write.validation)
        if "status" in kind.subresources:
            obj.pop("status", None)
        obj["metadata"].pop("managedFields", None)
        return self._store.create(obj, manager=write.manager, dry_run=write.dry_run)

    def replace(self, kind: Kind, namespace: str, name: str, body: Any, write: Write) -> Object:
        """PUT of an object, or of its status or scale."""
        with self._store.lock:
            live = self._store.get(kind.name, namespace, name)
            if write.subresource == "scale":
                return self._set_scale(live, decoding.without_nulls(body), write)
            obj = decoding.decode(kind, body, namespace=namespace, name=name)
            write.warnings += decoding.check_schema(kind, obj, write.validation)
            if kind.group == GATEWAY_GROUP and not obj["metadata"].get("resourceVersion"):
                why = "Invalid value: 0: must be specified for an update"
                raise status.invalid(kind, name, [("FieldValueInvalid", "metadata.resourceVersion", why)])
            return self._put(obj, write)

    def patch(self, kind: Kind, namespace: str, name: str, content_type: str, body: Any, write: Write) -> Object:
        """PATCH of any format but server-side apply."""
        if content_type == STRATEGIC_PATCH and kind.group == GATEWAY_GROUP:
            supported = ", ".join((JSON_PATCH, MERGE_PATCH, APPLY))
            text = f"the body of the request was in an unknown format - accepted media types include: {supported}"
            raise StatusError(415, text)
        if write.force:
            raise _bad_options("force", "Forbidden: may not be specified for non-apply patch", "FieldValueForbidden")
        with self._store.lock:
            live = self._store.get(kind.name, namespace, name)
            before = scaling.scale_of(live) if write.subresource == "scale" else live
            after = decoding.without_nulls(_patched(kind, before, content_type, body))
            if write.subresource == "scale":
                return self._set_scale(live, after, write)
            obj = decoding.decode(kind, after, namespace=namespace, name=name)
            write.warnings += decoding.check_schema(kind, obj, write.validation)
            return self._put(obj, write)

    def apply(self, kind: Kind, namespace: str, name: str, body: Any, write: Write) -> tuple[Object, bool]:
        """Server-side apply; whether that made the object."""
        if write.subresource == "scale":
            body = {"apiVersion": kind.api_version, "kind": kind.name, "spec": (body or {}).get("spec", {})}
        obj = self._decode_applied(kind, namespace, name, body, write)
        with self._store.lock:
            live = self._store.find(kind.name, namespace, name)
            if live is None:
                return self._create_applied(kind, name, obj, write), True
            wanted_version = obj["metadata"].pop("resourceVersion", None)
            merged = apply(
                live,
                obj,
                manager=write.manager,
                force=write.force,
                now=self._store.now(),
                subresource=write.subresource,
            )
            merged["metadata"]["resourceVersion"] = wanted_version or live["metadata"]["resourceVersion"]
            if obj["metadata"].get("uid"):
                merged["metadata"]["uid"] = obj["metadata"]["uid"]
            stored = self._store.put(merged, subresource=write.subresource, dry_run=write.dry_run)
            return (scaling.scale_of(stored) if write.subresource == "scale" else stored), False

    def _decode_applied(self, kind: Kind, namespace: str, name: str, body: Any, write: Write) -> Object:
        if not write.manager:
            raise _bad_options("fieldManager", "Required value: is required for apply patch", "FieldValueRequired")
        if not isinstance(body, dict) or not body.get("apiVersion") or not body.get("kind"):
            raise StatusError(400, "invalid object type: /, Kind=")
        obj = decoding.decode(kind, body, namespace=namespace, name=name)
        if obj["metadata"].get("managedFields"):
            raise StatusError(400, "metadata.managedFields must be nil")
        decoding.check_applied(kind, obj)
        if write.subresource == "status":
            obj.pop("spec", None)
        elif "status" in kind.subresources:
            obj.pop("status", None)
        return obj

    def _create_applied(self, kind: Kind, name: str, obj: Object, write: Write) -> Object:
        if write.subresource or obj["metadata"].get("resourceVersion"):
            raise status.not_found(kind, name)
        if obj["metadata"].get("uid"):
            why = f"uid mismatch: the provided object specified uid {obj['metadata']['uid']}, and no existing object was found"
            raise status.conflict(kind, name, why)
        write.may_create()
        new = apply(None, obj, manager=write.manager, force=write.force, now=self._store.now())
        return self._store.create(new, dry_run=write.dry_run)

    def _set_scale(self, live: Object, scale: Object, write: Write) -> Object:
        obj = copy.deepcopy(live)
        wanted = scale.get("metadata", {}).get("resourceVersion")
        obj["metadata"]["resourceVersion"] = wanted or live["metadata"]["resourceVersion"]
        obj["spec"]["replicas"] = scale.get("spec", {}).get("replicas", 0)
        return scaling.scale_of(self._put(obj, write))

    def _put(self, obj: Object, write: Write) -> Object:
        obj["metadata"].pop("managedFields", None)
        return self._store.put(
            obj, subresource=write.subresource, manager=write.manager or "unknown", dry_run=write.dry_run
        )


def _patched(kind: Kind, live: Object, content_type: str, body: Any) -> Object:
    if content_type == JSON_PATCH:
        if not isinstance(body, list):
            raise StatusError(
                400, "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
            )
        return patches.json_patch(live, body)
    if not isinstance(body, dict):
        raise StatusError(
            400, "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
        )
    merged = (
        patches.merge_patch(live, body)
        if content_type == MERGE_PATCH
        else patches.strategic_merge(kind.name, live, body)
    )
    return dict(merged)


def _bad_options(name: str, message: str, reason: str) -> StatusError:
    details = {"group": "meta.k8s.io", "kind": "PatchOptions"}
    causes = [{"reason": reason, "message": message, "field": name}]
    text = f'PatchOptions.meta.k8s.io "" is invalid: {name}: {message}'
    return StatusError(422, text, details={**details, "causes": causes})
