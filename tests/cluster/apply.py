"""Server-side apply of an object to what is live."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.cluster.fields import (
    Manager,
    Object,
    Owners,
    Path,
    Paths,
    children,
    compare,
    fields_of,
    managed,
    text_of,
)
from tests.cluster.status import StatusError


def apply(live: Object | None, wanted: Object, *, manager: str, force: bool, now: str, subresource: str = "") -> Object:
    """What is live after `manager` applied `wanted`, with managedFields.

    What `manager` applied before and no longer does is removed, unless somebody else owns it too.

    Raises:
        StatusError: 409 Conflict where `wanted` changes what others own, unless `force`: then it is taken from them.
    """
    me = Manager(manager, "Apply", subresource, wanted["apiVersion"])
    if live is None:
        owners, merged = Owners(), copy.deepcopy(wanted)
    else:
        owners, merged = _owners(live, now), merge(wanted["kind"], "", live, _for_merge(wanted, live))
    before = Owners(dict(owners.paths), dict(owners.times))
    last = _pop_last(owners, me)
    owners.paths[me] = fields_of(wanted)
    _prune(merged, last, frozenset().union(*owners.paths.values()))
    difference = compare(live, merged)
    _settle(owners, me, difference.changed, force)
    owners.take(difference.removed, but=me)
    if difference.changed or difference.removed:
        before.paths.pop(me, None)
    merged["metadata"]["managedFields"] = owners.entries(before, now)
    return merged


def merge(kind: str, dotted: str, old: Any, new: Any) -> Any:
    """`new` laid over `old`: maps and keyed lists part by part, everything else replaced."""
    before, after = children(kind, dotted, old), children(kind, dotted, new)
    if before is None or after is None:
        return copy.deepcopy(new)
    parts = {}
    for element in _merged_order(list(before), list(after)):
        if element not in after:
            parts[element] = copy.deepcopy(before[element][1])
        elif element not in before:
            parts[element] = copy.deepcopy(after[element][1])
        else:
            parts[element] = merge(kind, after[element][0], before[element][1], after[element][1])
    if isinstance(new, list):
        return list(parts.values())
    return {element[2:]: value for element, value in parts.items()}


def _merged_order(before: list[str], after: list[str]) -> list[str]:
    """The applied items in their order, each other item behind the one that it followed."""
    result = list(after)
    for index, element in enumerate(before):
        if element not in result:
            previous = before[index - 1] if index else None
            result.insert(result.index(previous) + 1 if previous in result else 0, element)
    return result


def _for_merge(wanted: Object, live: Object) -> Object:
    """What is applied, without the metadata that only the server sets."""
    return {**managed(wanted), "apiVersion": live["apiVersion"], "kind": live["kind"]}


def _owners(live: Object, now: str) -> Owners:
    """The owners of what is live; all of it is `before-first-apply`'s where nobody is recorded."""
    owners = Owners.of(live)
    if not owners.paths:
        unknown = Manager("before-first-apply", "Update", "", live["apiVersion"])
        spec = {name: value for name, value in live.items() if name != "status"}
        owners.paths[unknown], owners.times[unknown] = fields_of(spec), now
    return owners


def _pop_last(owners: Owners, me: Manager) -> Paths:
    """What this manager applied last, also with another apiVersion."""
    mine = [
        manager
        for manager in owners.paths
        if (manager.name, manager.operation, manager.subresource) == (me.name, "Apply", me.subresource)
    ]
    return frozenset().union(*(owners.paths.pop(manager) for manager in mine))


def _settle(owners: Owners, me: Manager, changed: set[Path], force: bool) -> None:
    conflicts = [
        (manager, path) for manager, paths in owners.paths.items() if manager != me for path in sorted(paths & changed)
    ]
    if conflicts and not force:
        raise _conflict_error(sorted(conflicts, key=lambda one: (one[0].name, one[1])))
    owners.take((path for _, path in conflicts), but=me)


def _conflict_error(conflicts: list[tuple[Manager, Path]]) -> StatusError:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {manager.described()}",
            "field": text_of(path),
        }
        for manager, path in conflicts
    ]
    if len(conflicts) == 1:
        manager, path = conflicts[0]
        text = f"Apply failed with 1 conflict: conflict with {manager.described()}: {text_of(path)}"
    else:
        groups: dict[str, list[str]] = {}
        for manager, path in conflicts:
            groups.setdefault(manager.described(), []).append(f"- {text_of(path)}")
        listed = [f"conflicts with {who}:\n" + "\n".join(paths) for who, paths in groups.items()]
        text = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(listed)
    return StatusError(409, text, details={"causes": causes})


# ------------------------------------------------------------------------------------------------------ removing


def _prune(obj: Object, last: Paths, owned: Paths) -> None:
    """Remove in place what was applied last and nobody owns now, with what nobody owns inside of it."""
    kept = _with_ancestors(owned)
    gone = sorted(_with_ancestors(last) - kept, key=lambda path: (len(path), path))
    for path in gone:
        if path == ("f:metadata",) or _is_key(path):
            continue
        rest = _without(obj["kind"], "", obj, path)
        obj.clear()
        obj.update(rest)


def _with_ancestors(paths: Paths) -> set[Path]:
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


def _is_key(path: Path) -> bool:
    """Whether a field identifies the item that it is in: it goes with the item only."""
    return len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])


def _without(kind: str, dotted: str, value: Any, path: Path) -> Any:
    """A value without one field; None where that leaves nothing."""
    found = children(kind, dotted, value)
    if not found or path[0] not in found:
        return value
    child_dotted, child = found.pop(path[0])
    rest = _without(kind, child_dotted, child, path[1:]) if len(path) > 1 else None
    if isinstance(value, list):
        items = [rest if item is child else item for item in value]
        return [item for item in items if item is not None] or None
    return {
        k: rest if k == path[0][2:] else v for k, v in value.items() if k != path[0][2:] or rest is not None
    } or None
