"""Fields of the Kubernetes API's objects as plain JSON: what is missing, null or of an odd type is simply not there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]


def field(obj: object, *path: str) -> Any:
    """The value at a path of keys, or None."""
    for key in path:
        obj = obj.get(key) if isinstance(obj, Mapping) else None
    return obj


def text(obj: object, *path: str) -> str:
    """The string at a path, or an empty one."""
    value = field(obj, *path)
    return value if isinstance(value, str) else ""


def find_number(obj: object, *path: str) -> int | None:
    """The whole number at a path, or None."""
    value = field(obj, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(obj: object, *path: str, default: int = 0) -> int:
    """The whole number at a path, or the API's default for it."""
    value = find_number(obj, *path)
    return default if value is None else value


def objects(obj: object, *path: str) -> list[Json]:
    """The objects in the list at a path."""
    value = field(obj, *path)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def find_time(obj: object, *path: str) -> datetime | None:
    """The time at a path, of either of the API's forms (whole seconds, microseconds), or None."""
    try:
        value = datetime.fromisoformat(text(obj, *path))
    except ValueError:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def condition(obj: object, kind: str) -> Json:
    """The condition of that type in an object's status, or an empty object."""
    return next((item for item in objects(obj, "status", "conditions") if item.get("type") == kind), {})


def owner_uids(obj: object) -> set[str]:
    """The uids of the objects that own it."""
    return {uid for owner in objects(obj, "metadata", "ownerReferences") if (uid := text(owner, "uid"))}
