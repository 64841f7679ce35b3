"""The patch formats other than server-side apply: JSON patch, merge patch, strategic merge patch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from tests.cluster import lists
from tests.cluster.status import StatusError

Object = dict[str, Any]


def json_patch(obj: Object, operations: Sequence[Object]) -> Object:
    """RFC 6902. Raises StatusError 422 where a path or test does not hold."""
    result: Any = copy.deepcopy(obj)
    for operation in operations:
        try:
            result = _operate(result, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            text = f"the server rejected our request due to an error in our request: {operation.get('path')}: {error}"
            raise StatusError(422, text) from error
    return dict(result)


def _operate(root: Any, operation: Object) -> Any:
    what, path = operation["op"], _pointer(operation["path"])
    if what == "test":
        if _read(root, path) != operation.get("value"):
            raise ValueError("testing value failed")
        return root
    if what in {"move", "copy"}:
        source = _pointer(operation["from"])
        value = copy.deepcopy(_read(root, source))
        if what == "move":
            _edit(root, source, "remove", None)
        return _edit(root, path, "add", value)
    return _edit(root, path, what, copy.deepcopy(operation.get("value")))


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _read(here: Any, path: Sequence[str]) -> Any:
    for part in path:
        here = here[int(part)] if isinstance(here, list) else here[part]
    return here


def _edit(root: Any, path: Sequence[str], what: str, value: Any) -> Any:
    if not path:
        return value
    parent, last = _read(root, path[:-1]), path[-1]
    if isinstance(parent, list):
        _edit_list(parent, last, what, value)
    elif what == "remove":
        del parent[last]
    else:
        if what == "replace" and last not in parent:
            raise KeyError(f"replace operation does not apply: missing key {last}")
        parent[last] = value
    return root


def _edit_list(items: list[Any], last: str, what: str, value: Any) -> None:
    index = len(items) if last == "-" else int(last)
    if what == "add":
        items.insert(index, value)
    elif what == "remove":
        del items[index]
    else:
        items[index] = value


def merge_patch(value: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(value) if isinstance(value, dict) else {}
    for name, below in patch.items():
        if below is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), below)
    return result


def strategic_merge(kind: str, value: Any, patch: Any, dotted: str = "") -> Any:
    """A merge patch that merges keyed lists item by item, with the `$patch` and `$deleteFromPrimitiveList` directives."""
    if isinstance(patch, dict):
        return _merge_maps(kind, value if isinstance(value, dict) else {}, patch, dotted)
    keys = lists.list_keys(kind, dotted)
    if isinstance(patch, list) and (keys or dotted in lists.SETS):
        old = value if isinstance(value, list) else []
        if not keys:
            return [*old, *(item for item in patch if item not in old)]
        return _merge_items(kind, old, patch, dotted, keys[:1])
    return copy.deepcopy(patch)


def _merge_maps(kind: str, value: Object, patch: Object, dotted: str) -> Any:
    if patch.get("$patch") == "replace":
        return {name: below for name, below in patch.items() if name != "$patch"}
    result = dict(value)
    for name, below in patch.items():
        if name.startswith("$"):
            _direct(result, name, below)
        elif below is None or (isinstance(below, dict) and below.get("$patch") == "delete"):
            result.pop(name, None)
        else:
            result[name] = strategic_merge(kind, result.get(name), below, f"{dotted}.{name}" if dotted else name)
    return result


def _direct(result: Object, directive: str, value: Any) -> None:
    what, _, name = directive.partition("/")
    if what == "$deleteFromPrimitiveList":
        result[name] = [item for item in result.get(name, []) if item not in value]
    elif what == "$retainKeys":
        for key in set(result) - set(value):
            del result[key]


def _merge_items(kind: str, old: list[Object], patch: list[Object], dotted: str, keys: tuple[str, ...]) -> list[Object]:
    """Strategic merge knows an item by the first of its keys."""
    result = [] if any(item.get("$patch") == "replace" for item in patch) else list(old)
    for item in patch:
        identity = [item.get(key) for key in keys]
        index = next((i for i, one in enumerate(result) if [one.get(key) for key in keys] == identity), None)
        if item.get("$patch") == "delete":
            result = [one for i, one in enumerate(result) if i != index]
        elif item.get("$patch") == "replace":
            continue
        elif index is None:
            result.append(copy.deepcopy(item))
        else:
            result[index] = strategic_merge(kind, result[index], item, f"{dotted}[]")
    return result
