"""Lists of objects: selected, and in pages."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from tests.cluster.kinds import GATEWAY_GROUP, Kind
from tests.cluster.selectors import Test, field_test, label_test
from tests.cluster.status import StatusError
from tests.cluster.store import Store

Object = dict[str, Any]


def selection_of(kind: Kind, query: Mapping[str, str], name: str = "") -> Test:
    """What the selectors of a query (and a name) select. Raises StatusError 400."""
    labels = label_test(query.get("labelSelector", ""))
    selected = field_test(kind, query.get("fieldSelector", ""))
    return lambda obj: (not name or obj["metadata"]["name"] == name) and labels(obj) and selected(obj)


def list_objects(store: Store, kind: Kind, namespace: str | None, query: Mapping[str, str]) -> Object:
    """The list object of a kind, with `limit` and `continue` of the query.

    Raises:
        StatusError: 410 for a page of a list from before the history was compacted; 400.
    """
    test = selection_of(kind, query)
    with store.lock:
        found = [obj for obj in store.list(kind.name, namespace) if test(obj)]
        version = store.version
    after = ("", "")
    if query.get("continue"):
        version, after = _token(query["continue"])
        store.changes(version)
    rest = [obj for obj in found if _position(obj) > after]
    limit = int(query.get("limit") or 0)
    page = rest[:limit] if limit else rest
    meta: Object = {"resourceVersion": str(version)}
    if len(page) < len(rest):
        meta |= {"continue": _token_text(version, _position(page[-1])), "remainingItemCount": len(rest) - len(page)}
    items = [_as_item(kind, obj) for obj in page]
    return {"kind": f"{kind.name}List", "apiVersion": kind.api_version, "metadata": meta, "items": items}


def _as_item(kind: Kind, obj: Object) -> Object:
    """The items of a list do not repeat their kind, but for those of custom resources."""
    if kind.group == GATEWAY_GROUP:
        return obj
    return {name: value for name, value in obj.items() if name not in {"kind", "apiVersion"}}


def _position(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _token_text(version: int, position: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, *position]).encode()).decode()


def _token(text: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(text))
    except (ValueError, binascii.Error) as error:
        raise StatusError(400, "continue key is not valid: the token is malformed") from error
    return version, (namespace, name)
