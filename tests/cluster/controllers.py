"""What makes the objects of the stand-in cluster move: its controllers and its scheduler, in one thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from tests.cluster.autoscalers import Autoscalers
from tests.cluster.deployments import Deployments
from tests.cluster.endpoints import EndpointSlices
from tests.cluster.garbage import GarbageCollector
from tests.cluster.jobs import Jobs
from tests.cluster.replica_sets import Admit, ReplicaSets, admit_all
from tests.cluster.scheduler import Node, Scheduler
from tests.cluster.status import StatusError
from tests.cluster.store import Object, Store

_log = logging.getLogger(__name__)


class Controller(Protocol):
    """Brings all objects of a kind nearer to what they say; what is there already is left alone."""

    def sync(self) -> None: ...


class Controllers:
    """Runs every controller after each change of the store, and every `resync_seconds` for what time alone changes.

    Args:
        nodes: what pods may be put on.
        admit: raises StatusError for a pod that no controller may make.
        more: further controllers.
    """

    def __init__(
        self,
        store: Store,
        *,
        nodes: Sequence[Node] = (Node(),),
        admit: Admit = admit_all,
        more: Sequence[Controller] = (),
        resync_seconds: float = 0.2,
    ) -> None:
        self._store = store
        self._garbage = GarbageCollector(store)
        self._controllers: list[Controller] = [
            Autoscalers(store),
            Deployments(store),
            ReplicaSets(store, admit),
            Jobs(store, admit),
            Scheduler(store, nodes),
            EndpointSlices(store),
            *more,
        ]
        self._resync_seconds = resync_seconds
        self._changed, self._ended = threading.Event(), threading.Event()
        self._collect = True
        self.errors: list[Exception] = []
        self._thread = threading.Thread(target=self._run, name="cluster-controllers", daemon=True)
        self._unsubscribe: Callable[[], object] = lambda: None

    def start(self) -> None:
        self._unsubscribe = self._store.subscribe(self._notice)
        self._thread.start()

    def stop(self) -> None:
        """Raises ExceptionGroup of what was wrong in the controllers themselves."""
        self._ended.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(20)
        self._unsubscribe()
        if self.errors:
            raise ExceptionGroup("controllers failed", self.errors[:5])

    def sync(self) -> None:
        """Run every controller once, whoever calls: for tests that want to see each step."""
        if self._collect:
            self._collect = False
            self._try(self._garbage)
        for controller in self._controllers:
            self._try(controller)

    def _notice(self, type_: str, obj: Object) -> None:
        """Of every change; events move nothing."""
        if obj["kind"] == "Event":
            return
        if type_ == "DELETED" and obj["kind"] == "Namespace":
            self._garbage.forget_namespace(obj["metadata"]["name"])
        if type_ == "DELETED" or "deletionTimestamp" in obj["metadata"]:
            self._collect = True
        self._changed.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._changed.wait(self._resync_seconds)
            self._changed.clear()
            self.sync()

    def _try(self, controller: Controller) -> None:
        """One that fails does not stop the others; where somebody else wrote meanwhile it sees that at the next turn."""
        try:
            controller.sync()
        except StatusError as error:
            if error.code not in {404, 409}:
                _log.warning("%s: %s", type(controller).__name__, error)
        except Exception as error:
            self.errors.append(error)
