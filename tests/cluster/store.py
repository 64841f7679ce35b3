"""What a cluster knows: objects in memory, with the bookkeeping of a real API server.

Everything may be called from any thread. What is returned is a copy; what is passed in is copied.
"""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from tests.cluster import fields, lifecycle, status
from tests.cluster.kinds import KINDS

Object = dict[str, Any]
Callback = Callable[[str, Object], None]
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Change:
    """One entry of the watch history: `type` is ADDED, MODIFIED or DELETED; `old` is the object before it."""

    version: int
    type: str
    object: Object
    old: Object | None


class Admission(Protocol):
    """What looks at every write before it is stored: returns the object to store, or raises StatusError.

    Called with the store's lock held; `old` is None for a creation, and must not be altered.
    """

    def __call__(self, new: Object, old: Object | None, *, subresource: str) -> Object: ...


class Store:
    """All objects of the cluster, by kind, namespace ("" for kinds without) and name.

    `clock` returns the current time with its zone. `set_defaults` completes every object that is written, in place;
    then `admission` is consulted, in order.
    Errors are `status.StatusError`, whose text is what a real server says.
    """

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.set_defaults: Callable[[Object], None] = lambda _: None
        self.admission: list[Admission] = []
        self._objects: dict[Key, Object] = {}
        self._history: list[Change] = []
        self._callbacks: list[Callback] = []
        self._version = 1
        self._compacted = 0
        self._dry = False

    # ----------------------------------------------------------------------------------------------- reading

    @property
    def version(self) -> int:
        """The newest resourceVersion."""
        return self._version

    def now(self) -> str:
        """The time as the API writes it: RFC 3339, UTC, whole seconds."""
        return timestamp(self.clock())

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        with self.lock:
            return copy.deepcopy(self._objects.get(_key(kind, namespace, name)))

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """The object. Raises StatusError 404."""
        found = self.find(kind, namespace, name)
        if found is None:
            raise status.not_found(KINDS[kind], name)
        return found

    def list(self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Object]:
        """All objects of a kind, by namespace and name; `namespace` None: of all; `labels` must all be equal."""
        wanted = dict(labels or {}).items()
        with self.lock:
            return [
                copy.deepcopy(item)
                for (a_kind, a_namespace, _), item in sorted(self._objects.items())
                if a_kind == kind
                and namespace in {None, a_namespace}
                and wanted <= (item["metadata"].get("labels") or {}).items()
            ]

    # ----------------------------------------------------------------------------------------------- writing

    def create(self, obj: Object, *, manager: str = "", dry_run: bool = False) -> Object:
        """Store a new object: defaults and admission first. `manager` owns its fields (managedFields).

        Raises:
            StatusError: 409 AlreadyExists, or what admission refused it for (403, 404, 422).
        """
        new = copy.deepcopy(obj)
        kind = KINDS[new["kind"]]
        with self._transaction(dry_run):
            meta = new.setdefault("metadata", {})
            if not meta.get("name") and meta.get("generateName"):
                meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
            now = self.now()
            new["metadata"] = meta | {"uid": str(uuid.uuid4()), "creationTimestamp": now}
            for name in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
                new["metadata"].pop(name, None)
            if kind.versioned:
                new["metadata"]["generation"] = 1
            self.set_defaults(new)
            if manager:
                new = fields.record_update(None, new, manager=manager, subresource="", now=now)
            new = self._admit(new, None, "")
            key = key_of(new)
            if key in self._objects:
                raise status.already_exists(kind, new["metadata"]["name"])
            return self._commit("ADDED", key, new, None)

    def put(self, obj: Object, *, subresource: str = "", manager: str = "", dry_run: bool = False) -> Object:
        """Replace an object, or create it where there is none.

        A resourceVersion in `obj` must be the stored one. With subresource "status" only status and annotations are
        taken, without it everything but the status. Nothing happens if nothing would change. An object that is being
        deleted ends with its last finalizer.

        Raises:
            StatusError: 409 Conflict, or what admission refused it for.
        """
        new = copy.deepcopy(obj)
        key = key_of(new)
        with self._transaction(dry_run):
            old = self._objects.get(key)
            if old is None:
                return self.create(new, manager=manager, dry_run=dry_run)
            kind = KINDS[new["kind"]]
            lifecycle.check_preconditions(kind, old, new["metadata"].get("uid"), new["metadata"].get("resourceVersion"))
            new = lifecycle.merged(kind, old, new, subresource)
            self.set_defaults(new)
            if manager:
                new = fields.record_update(old, new, manager=manager, subresource=subresource, now=self.now())
            new = self._admit(new, old, subresource)
            if new == old:
                return copy.deepcopy(old)
            if kind.versioned and subresource != "status" and lifecycle.changes_generation(kind, old, new):
                new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
            if new["metadata"].get("deletionTimestamp") and lifecycle.may_go(new, old):
                return self._remove(key, new)
            return self._commit("MODIFIED", key, new, old)

    def update(
        self,
        kind: str,
        namespace: str,
        name: str,
        change: Callable[[Object], Any],
        *,
        subresource: str = "",
        manager: str = "",
    ) -> Object:
        """Read, let `change` alter the object in place, and write it, without anybody in between. 404 if absent."""
        with self.lock:
            obj = self.get(kind, namespace, name)
            change(obj)
            return self.put(obj, subresource=subresource, manager=manager)

    def set_status(self, kind: str, namespace: str, name: str, value: Object, *, manager: str = "") -> Object:
        """Replace the status of an object. 404 if absent."""
        return self.update(
            kind, namespace, name, lambda obj: obj.update(status=value), subresource="status", manager=manager
        )

    def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        version: str | None = None,
        grace_seconds: int | None = None,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> Object:
        """Delete an object, or begin to.

        A Pod that is on a node gets a deletionTimestamp (now + its grace period) and stays until its kubelet calls
        delete with grace_seconds=0. So does an object with finalizers, until `put` takes away the last one. Propagation
        Foreground and Orphan are such finalizers, which the garbage collector takes away. Returns the object's last state.

        Raises:
            StatusError: 404; 409 where `uid` or `version` is not the object's.
        """
        with self._transaction(dry_run):
            key = _key(kind, namespace, name)
            old = self._objects.get(key)
            if old is None:
                raise status.not_found(KINDS[kind], name)
            lifecycle.check_preconditions(KINDS[kind], old, uid, version)
            new = copy.deepcopy(old)
            finalizer = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(propagation)
            if finalizer and "deletionTimestamp" not in old["metadata"]:
                new["metadata"].setdefault("finalizers", []).append(finalizer)
            grace = lifecycle.grace_seconds(new, grace_seconds)
            if grace == 0 and not new["metadata"].get("finalizers"):
                return self._remove(key, new)
            self._mark_deleted(new, grace)
            return copy.deepcopy(old) if new == old else self._commit("MODIFIED", key, new, old)

    # ---------------------------------------------------------------------------------------------- watching

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Call `callback(type, object)` at every change from now on; the result ends that.

        It is called in the order of changes, by the thread that writes, with the lock held: it may not wait, and must
        not alter the object. Put it on a queue, or set an event.
        """
        with self.lock:
            self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def changes(self, since: int) -> Sequence[Change]:
        """The changes after a resourceVersion. Raises StatusError 410 where they are no longer known."""
        with self.lock:
            if since < self._compacted:
                message = f"too old resource version: {since} ({self._compacted})"
                raise status.StatusError(410, message, reason="Expired")
            return [change for change in self._history if change.version > since]

    def compact(self) -> None:
        """Forget the watch history: a watch from before now gets 410 Gone."""
        with self.lock:
            self._version += 1
            self._compacted = self._version
            self._history.clear()

    # --------------------------------------------------------------------------------------------- internals

    @contextmanager
    def _transaction(self, dry_run: bool) -> Iterator[None]:
        """Hold the lock; in a dry run nothing of what is committed stays."""
        with self.lock:
            before, self._dry = self._dry, self._dry or dry_run
            try:
                yield
            finally:
                self._dry = before

    def _admit(self, new: Object, old: Object | None, subresource: str) -> Object:
        for plugin in self.admission:
            new = plugin(new, old, subresource=subresource)
        return new

    def _commit(self, what: str, key: Key, new: Object, old: Object | None) -> Object:
        if self._dry:
            return copy.deepcopy(new)
        self._version += 1
        new["metadata"]["resourceVersion"] = str(self._version)
        if what == "DELETED":
            del self._objects[key]
        else:
            self._objects[key] = new
        self._history.append(Change(self._version, what, copy.deepcopy(new), copy.deepcopy(old)))
        for callback in tuple(self._callbacks):
            callback(what, copy.deepcopy(new))
        return copy.deepcopy(new)

    def _remove(self, key: Key, last: Object) -> Object:
        return self._commit("DELETED", key, last, self._objects[key])

    def _mark_deleted(self, obj: Object, grace: int) -> None:
        meta = obj["metadata"]
        if "deletionTimestamp" in meta and grace >= meta.get("deletionGracePeriodSeconds", 0):
            return
        meta["deletionTimestamp"] = timestamp(self.clock() + timedelta(seconds=grace))
        meta["deletionGracePeriodSeconds"] = grace
        if "generation" in meta:
            meta["generation"] += 1


def timestamp(when: datetime) -> str:
    """A time as the API writes it: RFC 3339, UTC, whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def key_of(obj: Object) -> Key:
    """Kind, namespace and name of an object."""
    return _key(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def _key(kind: str, namespace: str, name: str) -> Key:
    return kind, namespace if KINDS[kind].namespaced else "", name
