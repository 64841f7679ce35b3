"""What differs between two states of an object, field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NOT_OURS = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}
)  # of metadata: the API's own book-keeping
# What names an item of a list, as the API's merge keys do; the first that all items have, each its own value.
_KEYS = ("name", "containerPort", "port", "mountPath", "topologyKey", "type", "ip", "key")


@dataclass(frozen=True)
class Change:
    """One field: `path` like ``spec.template.spec.containers[server].image``; None is a field that is not there."""

    path: str
    before: Any
    after: Any


def diff_objects(live: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> list[Change]:
    """The changes from `live` to `wanted`, in the order of the fields, new ones last; without a live one, all that is wanted.

    Ignored: ``status`` and what the API keeps in ``metadata`` itself. Items of lists are matched by their name where
    they have one, so that a new first container is one change, not many; their order is no change.
    """
    return list(_changes("", _declared(live) if live else None, _declared(wanted)))


def _declared(obj: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in obj.items() if key not in {"status", "apiVersion", "kind"}}
    metadata = {key: value for key, value in obj.get("metadata", {}).items() if key not in _NOT_OURS}
    return {"metadata": metadata} | {key: value for key, value in kept.items() if key != "metadata"}


def _changes(path: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    pair = _as_maps(before, after)
    if pair is None:
        yield Change(path, before, after)
        return
    old, new = pair
    for step in dict.fromkeys([*old, *new]):
        yield from _changes(f"{path}{step}" if path else step.lstrip("."), old.get(step), new.get(step))


def _as_maps(before: Any, after: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Both sides by step of the path, or None: they have nothing that could be compared piece by piece."""
    sides = [side for side in (before, after) if side is not None]
    if not all(sides):  # an empty one is a value: `emptyDir: {}`
        return None
    if all(isinstance(side, Mapping) for side in sides):
        return _map_steps(before), _map_steps(after)
    if all(isinstance(side, Sequence) and not isinstance(side, str) for side in sides):
        return _list_steps(before, after)
    return None


def _map_steps(value: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"[{key}]" if "." in key or "/" in key else f".{key}": item for key, item in (value or {}).items()}


def _list_steps(
    before: Sequence[Any] | None, after: Sequence[Any] | None
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    items = [*(before or []), *(after or [])]
    if not all(isinstance(item, Mapping) for item in items):
        return None
    for key in _KEYS:
        if all(key in item for item in items) and _is_unique(key, before) and _is_unique(key, after):
            return ({f"[{item[key]}]": item for item in before or []}, {f"[{item[key]}]": item for item in after or []})
    return dict(_by_index(before)), dict(_by_index(after))


def _is_unique(key: str, items: Sequence[Any] | None) -> bool:
    values = [item[key] for item in items or []]
    return len({str(value) for value in values}) == len(values)


def _by_index(items: Sequence[Any] | None) -> Iterator[tuple[str, Any]]:
    yield from ((f"[{index}]", item) for index, item in enumerate(items or []))
