"""How a write changes an object: what it may touch, when it is a new generation, how an object ends."""

from __future__ import annotations

import copy
from typing import Any

from tests.cluster import status
from tests.cluster.kinds import Kind

Object = dict[str, Any]

IMMUTABLE = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def check_preconditions(kind: Kind, old: Object, uid: str | None, version: str | None) -> None:
    """Raises StatusError 409 where an object is not, or no longer, the one that is meant."""
    meta = old["metadata"]
    if uid and uid != meta["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta['uid']}"
        raise status.conflict(kind, meta["name"], why)
    if version and version != meta["resourceVersion"]:
        why = "the object has been modified; please apply your changes to the latest version and try again"
        raise status.conflict(kind, meta["name"], why)


def merged(kind: Kind, old: Object, new: Object, subresource: str) -> Object:
    """What a write means: a status write cannot alter the spec, nor a write of the object its status."""
    if subresource == "status":
        result = copy.deepcopy(old)
        result["status"] = new.get("status", {})
        for name in ("annotations", "managedFields"):
            if name in new["metadata"]:
                result["metadata"][name] = new["metadata"][name]
        return result
    if "status" in kind.subresources:
        new.pop("status", None)
        if "status" in old:
            new["status"] = copy.deepcopy(old["status"])
    for name in (*IMMUTABLE, "resourceVersion", "generation"):
        new["metadata"].pop(name, None)
        if name in old["metadata"]:
            new["metadata"][name] = old["metadata"][name]
    return new


def changes_generation(kind: Kind, old: Object, new: Object) -> bool:
    """Whether the desired state is another; a Deployment's annotations are part of it, as in a real server."""
    skipped = {"metadata", "status"}
    if {k: v for k, v in old.items() if k not in skipped} != {k: v for k, v in new.items() if k not in skipped}:
        return True
    return kind.name == "Deployment" and old["metadata"].get("annotations") != new["metadata"].get("annotations")


def may_go(new: Object, old: Object) -> bool:
    """Whether the last finalizer of an object that is being deleted has just been taken away."""
    if new["metadata"].get("deletionGracePeriodSeconds"):
        return False
    return bool(old["metadata"].get("finalizers")) and not new["metadata"].get("finalizers")


def grace_seconds(obj: Object, asked: int | None) -> int:
    """A Pod's time to end: none if no node runs it, or it has ended."""
    if obj["kind"] != "Pod" or not obj["spec"].get("nodeName"):
        return 0
    if obj.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    return int(obj["spec"].get("terminationGracePeriodSeconds", 30)) if asked is None else asked
