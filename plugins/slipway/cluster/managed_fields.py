"""Who owns a field of an object, by server-side apply's own record (``metadata.managedFields``, FieldsV1). Pure.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Step = str | Mapping[str, Any]
"""One step of a path: a field's name, or the key of an item of a list, e.g. ``{"name": "server"}``."""


def owns_field(obj: Mapping[str, Any], manager: str, path: Sequence[Step]) -> bool:
    """Whether `manager` owns the field at `path`, e.g. ``("spec", "replicas")``, by whatever operation."""
    return manager in field_owners(obj, path)


def field_owners(obj: Mapping[str, Any], path: Sequence[Step]) -> list[str]:
    """Every manager that owns the field, in the record's order; the autoscaler writes through a subresource and counts."""
    entries = obj.get("metadata", {}).get("managedFields") or []
    owners = [str(entry.get("manager", "")) for entry in entries if _contains(entry.get("fieldsV1") or {}, path)]
    return list(dict.fromkeys(owners))


def _contains(fields: Mapping[str, Any], path: Sequence[Step]) -> bool:
    node: Any = fields
    for depth, step in enumerate(path):
        if depth and not node:
            return True  # a leaf: an atomic map or list is owned with all that is in it
        node = _child(node, step)
        if node is None:
            return False
    return bool(path)


def _child(node: Mapping[str, Any], step: Step) -> Any:
    if isinstance(step, str):
        return node.get(f"f:{step}")
    keys = (key for key in node if key.startswith("k:") and json.loads(key[2:]) == dict(step))
    return next((node[key] for key in keys), None)
