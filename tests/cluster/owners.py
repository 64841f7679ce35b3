"""Who made what: owner references, and the pods of an owner."""

from __future__ import annotations

from tests.cluster.store import Object, Store


def owner_reference(owner: Object) -> Object:
    """What an object made by a controller says of it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned(store: Store, kind: str, owner: Object) -> list[Object]:
    """The objects of a kind that an owner made, oldest first."""
    uid = owner["metadata"]["uid"]
    found = store.list(kind, owner["metadata"].get("namespace", ""))
    mine = [item for item in found if any(ref["uid"] == uid for ref in item["metadata"].get("ownerReferences", []))]
    return sorted(mine, key=lambda item: (item["metadata"]["creationTimestamp"], item["metadata"]["name"]))


def is_ending(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def is_active(pod: Object) -> bool:
    """Whether a pod still counts: not ended, and not being deleted."""
    return not is_ending(pod) and pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"}


def find_condition(obj: Object, type_: str) -> Object | None:
    """One of an object's conditions."""
    conditions = obj.get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == type_), None)


def is_true(obj: Object, type_: str) -> bool:
    condition = find_condition(obj, type_)
    return condition is not None and condition["status"] == "True"
