"""Server-side apply: who owns which field, and what a write means for the owners.

After sigs.k8s.io/structured-merge-diff. A field is a path of elements as FieldsV1 writes them: `f:spec`,
`k:{"name":"server"}`, `v:"x"`; a set of fields is a set of such paths.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.cluster import lists

Object = dict[str, Any]
Path = tuple[str, ...]
Paths = frozenset[Path]

# Of nobody: the server's own.
_UNMANAGED_META = (
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "generateName",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
# Maps whose own path is recorded when an update adds them.
_PLAIN_MAPS = frozenset({"f:labels", "f:annotations", "f:data", "f:limits", "f:requests", "f:hard", "f:rollingUpdate"})


@dataclass(frozen=True)
class Manager:
    """Who owns a set of fields: one entry of managedFields is one of these."""

    name: str
    operation: str
    subresource: str
    api_version: str

    def described(self) -> str:
        """As in the text of a conflict: `"kubectl" using apps/v1`."""
        text = json.dumps(self.name)
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == "Update" else text


@dataclass
class Owners:
    """managedFields, decoded: the fields and the time of each manager."""

    paths: dict[Manager, Paths] = field(default_factory=dict)
    times: dict[Manager, str] = field(default_factory=dict)

    @classmethod
    def of(cls, obj: Object) -> Owners:
        """Read an object's metadata.managedFields."""
        owners = cls()
        for entry in obj["metadata"].get("managedFields") or []:
            manager = Manager(
                entry.get("manager", ""), entry["operation"], entry.get("subresource", ""), entry["apiVersion"]
            )
            owners.paths[manager] = frozenset(decode(entry["fieldsV1"]))
            owners.times[manager] = entry["time"]
        return owners

    def entries(self, before: Owners, now: str) -> list[Object]:
        """metadata.managedFields; the time of a manager changes only with its fields."""
        result = []
        for manager, paths in self.paths.items():
            if not paths:
                continue
            time = before.times[manager] if before.paths.get(manager) == paths else now
            result.append(
                {
                    "manager": manager.name,
                    "operation": manager.operation,
                    "apiVersion": manager.api_version,
                    "time": time,
                    "fieldsType": "FieldsV1",
                    "fieldsV1": encode(paths),
                    **({"subresource": manager.subresource} if manager.subresource else {}),
                }
            )
        return sorted(result, key=lambda entry: (entry["operation"], entry["time"], entry["manager"]))

    def take(self, paths: Iterable[Path], *, but: Manager) -> None:
        """Nobody but one manager owns these fields any longer."""
        gone = frozenset(paths)
        for manager in self.paths:
            if manager != but:
                self.paths[manager] -= gone


def decode(tree: Object, prefix: Path = ()) -> Iterator[Path]:
    """The paths of a FieldsV1 tree."""
    for element, below in tree.items():
        if element == ".":
            yield prefix
        elif below:
            yield from decode(below, (*prefix, element))
        else:
            yield (*prefix, element)


def encode(paths: Iterable[Path]) -> Object:
    """The FieldsV1 tree of paths."""
    tree: Object = {}
    for path in sorted(paths):
        here = tree
        for element in path:
            here = here.setdefault(element, {})
        here["."] = {}
    return _without_leaf_dots(tree)


def _without_leaf_dots(tree: Object) -> Object:
    return {element: {} if below in ({}, {".": {}}) else _without_leaf_dots(below) for element, below in tree.items()}


def text_of(path: Path) -> str:
    """A path as the API's messages write it: `.spec.containers[name="server"].image`."""
    parts = []
    for element in path:
        what, _, rest = element.partition(":")
        if what == "f":
            parts.append(f".{rest}")
        elif what == "k":
            parts.append("[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(rest).items()) + "]")
        else:
            parts.append(f"[={rest}]")
    return "".join(parts)


# ------------------------------------------------------------------------------------------ the nodes of an object


def key_element(keys: tuple[str, ...], item: Object) -> str:
    """The element of an item of a list that merges by keys."""
    found = {key: item.get(key, lists.KEY_DEFAULTS.get(key)) for key in sorted(keys)}
    return "k:" + json.dumps({k: v for k, v in found.items() if v is not None}, separators=(",", ":"))


def children(kind: str, dotted: str, value: Any) -> dict[str, tuple[str, Any]] | None:
    """The parts of a value that are owned one by one: element to (its path, its value); None where it is one value."""
    if isinstance(value, dict) and not lists.is_atomic(dotted):
        return {f"f:{name}": (f"{dotted}.{name}" if dotted else name, below) for name, below in value.items()}
    if isinstance(value, list):
        if dotted in lists.SETS:
            return {f"v:{json.dumps(item)}": (f"{dotted}[]", item) for item in value}
        keys = lists.list_keys(kind, dotted)
        if keys and all(isinstance(item, dict) for item in value):
            return {key_element(keys, item): (f"{dotted}[]", item) for item in value}
    return None


def managed(obj: Object) -> Object:
    """The object without what nobody owns: its type and the server's own metadata."""
    meta = {name: value for name, value in obj.get("metadata", {}).items() if name not in _UNMANAGED_META}
    rest = {name: value for name, value in obj.items() if name not in {"apiVersion", "kind", "metadata"}}
    return {**({"metadata": meta} if meta else {}), **rest}


def fields_of(obj: Object) -> Paths:
    """All fields that an object that is applied sets."""
    return frozenset(_walk(obj["kind"], "", (), managed(obj)))


def _walk(kind: str, dotted: str, path: Path, value: Any) -> Iterator[Path]:
    below = children(kind, dotted, value)
    if not below:
        if path:
            yield path
        return
    if path and path[-1][0] in "kv":
        yield path
    for element, (child_dotted, child) in below.items():
        yield from _walk(kind, child_dotted, (*path, element), child)


@dataclass(frozen=True)
class Comparison:
    """Which fields differ between two states of an object."""

    changed: set[Path] = field(default_factory=set)  # modified or added
    removed: set[Path] = field(default_factory=set)


def compare(old: Object | None, new: Object) -> Comparison:
    """What a write changes."""
    result = Comparison()
    _compare(new["kind"], "", (), managed(old) if old else {}, managed(new), result)
    return result


def _compare(kind: str, dotted: str, path: Path, old: Any, new: Any, result: Comparison) -> None:
    if old == new:
        return
    before, after = children(kind, dotted, old), children(kind, dotted, new)
    if before is None or after is None or not (before or after):
        if path:
            result.changed.add(path)
        if before:
            result.removed.update(_walk(kind, dotted, path, old))
        return
    for element in {**before, **after}:
        _compare_part(kind, (*path, element), before.get(element), after.get(element), result)


def _compare_part(
    kind: str, path: Path, before: tuple[str, Any] | None, after: tuple[str, Any] | None, result: Comparison
) -> None:
    """Compare one part of a map or list, None where it is not there."""
    if before and after:
        _compare(kind, after[0], path, before[1], after[1], result)
    elif before:
        result.removed.update({path, *_walk(kind, before[0], path, before[1])})
    elif after:
        added = set(_walk(kind, after[0], path, after[1]))
        above = {below[:length] for below in added for length in range(len(path), len(below))}
        result.changed.update(added, (node for node in above if node[-1] in _PLAIN_MAPS))


def record_update(old: Object | None, new: Object, *, manager: str, subresource: str, now: str) -> Object:
    """`new`, with the fields that it changes owned by `manager` alone."""
    if old and old["metadata"].get("managedFields"):
        new["metadata"]["managedFields"] = copy.deepcopy(old["metadata"]["managedFields"])
    else:
        new["metadata"].pop("managedFields", None)
    before, owners = Owners.of(new), Owners.of(new)
    me = Manager(manager, "Update", subresource, new["apiVersion"])
    difference = compare(old, new)
    if not difference.changed and not difference.removed:
        return new
    owners.take(difference.changed | difference.removed, but=me)
    owners.paths[me] = (owners.paths.get(me, frozenset()) - difference.removed) | difference.changed
    new["metadata"]["managedFields"] = owners.entries(before, now)
    return new
