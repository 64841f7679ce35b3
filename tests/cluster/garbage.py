"""The garbage collector: what nobody owns any more goes, in the background or before its owner."""

from __future__ import annotations

from tests.cluster.kinds import KINDS
from tests.cluster.owners import is_ending
from tests.cluster.status import StatusError
from tests.cluster.store import Object, Store


class GarbageCollector:
    """Removes objects whose owners are all gone, each time `sync` is called."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._gone: set[str] = set()

    def forget_namespace(self, name: str) -> None:
        """A namespace is gone: so is, at the next turn, all that is in it. May be called by any thread."""
        self._gone.add(name)

    def sync(self) -> None:
        every = [item for kind in KINDS if not KINDS[kind].create_only for item in self._store.list(kind)]
        alive = {item["metadata"]["uid"]: item for item in every}
        for item in every:
            references = _references(item)
            owners = [alive[ref["uid"]] for ref in references if ref["uid"] in alive]
            ends_first = any("foregroundDeletion" in owner["metadata"].get("finalizers", []) for owner in owners)
            nobodys = bool(references) and (not owners or ends_first)
            if (nobodys or item["metadata"].get("namespace") in self._gone) and not is_ending(item):
                self._delete(item, ends_first and any(_is_owner(item, other) for other in every))
        for item in every:
            for finalizer in {"foregroundDeletion", "orphan"} & set(item["metadata"].get("finalizers", [])):
                self._finish(item, finalizer, every)

    def _delete(self, item: Object, after_its_own: bool) -> None:
        meta, propagation = item["metadata"], "Foreground" if after_its_own else "Background"
        self._store.delete(
            item["kind"], meta.get("namespace", ""), meta["name"], uid=meta["uid"], propagation=propagation
        )

    def _finish(self, owner: Object, finalizer: str, every: list[Object]) -> None:
        """Let an owner go whose dependents are gone, or no longer its own."""
        mine = [item for item in every if _is_owner(owner, item)]
        if finalizer == "orphan":
            for item in mine:
                left = [ref for ref in _references(item) if ref["uid"] != owner["metadata"]["uid"]]
                item["metadata"]["ownerReferences"] = left
                self._store.put(item)
        elif mine:
            return
        meta = owner["metadata"]
        meta["finalizers"].remove(finalizer)
        try:
            self._store.put(owner)
        except StatusError as error:
            if error.code not in {404, 409}:
                raise


def _is_owner(owner: Object, item: Object) -> bool:
    return any(ref["uid"] == owner["metadata"]["uid"] for ref in _references(item))


def _references(item: Object) -> list[Object]:
    references: list[Object] = item["metadata"].get("ownerReferences", [])
    return references
