"""A kubelet whose pods do what a test says, within milliseconds, with the statuses and events of a real one."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.fates import Fate, Plan, ready
from tests.cluster.owners import is_ending
from tests.cluster.pod_life import PodLife
from tests.cluster.status import StatusError
from tests.cluster.store import Object, Store

_log = logging.getLogger(__name__)


@dataclass
class _Pod:
    life: PodLife
    fate: Fate
    plan: Plan
    ending: bool = False


class ScriptedKubelet:
    """Takes every pod that is on a node through the fate that `script` names for it.

    A pod that is deleted ends after its fate's `stop_seconds`, or its grace period if that is shorter.
    """

    def __init__(self, store: Store, script: Callable[[Object], Fate] = lambda _: ready()) -> None:
        self._store = store
        self._script = script
        self._pods: dict[str, _Pod] = {}
        self._due: list[tuple[float, int, str, Plan]] = []
        self._numbers = itertools.count()
        self._changed, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="scripted-kubelet", daemon=True)
        self._unsubscribe: Callable[[], object] = lambda: None

    def start(self) -> None:
        self._unsubscribe = self._store.subscribe(self._notice)
        self._changed.set()
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(20)
        self._unsubscribe()

    def logs(self, pod: Object, container: str = "", *, previous: bool = False) -> str:
        """What a container has written. Raises StatusError 400 where it has not run."""
        known = self._pods.get(pod["metadata"]["uid"])
        name = container or pod["spec"]["containers"][0]["name"]
        report = known.life.containers.get(name) if known else None
        if known is None or report is None:
            raise StatusError(400, f"container {name} is not valid for pod {pod['metadata']['name']}")
        check_has_run(pod, name, previous=previous)
        return known.fate.logs

    def open_port(self, pod: Object, port: int) -> tuple[str, int]:
        """Where a port of a pod can be reached. Raises StatusError 500 where its fate has no such address."""
        known = self._pods.get(pod["metadata"]["uid"])
        if known is None or known.fate.address is None:
            raise StatusError(500, f"failed to connect to localhost:{port} inside namespace: connection refused")
        return known.fate.address

    def _notice(self, _: str, obj: Object) -> None:
        if obj["kind"] == "Pod":
            self._changed.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            pause = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            if self._changed.wait(pause):
                self._changed.clear()
                self._look()
            while self._due and self._due[0][0] <= time.monotonic():
                self._go_on(*heapq.heappop(self._due)[2:])

    def _look(self) -> None:
        pods = {pod["metadata"]["uid"]: pod for pod in self._store.list("Pod") if pod["spec"].get("nodeName")}
        for uid, pod in pods.items():
            if uid not in self._pods:
                self._begin(pod)
            elif is_ending(pod) and not self._pods[uid].ending:
                self._end(self._pods[uid], pod)
        for uid in self._pods.keys() - pods.keys():
            del self._pods[uid]

    def _begin(self, pod: Object) -> None:
        life, fate = PodLife(self._store, pod), self._script(pod)
        self._pods[life.uid] = _Pod(life, fate, fate.plan(life))
        self._go_on(life.uid, self._pods[life.uid].plan)

    def _end(self, known: _Pod, pod: Object) -> None:
        known.ending = True
        grace = pod["metadata"]["deletionGracePeriodSeconds"]
        for name, report in known.life.containers.items():
            if "running" in report.state:
                known.life.event("Killing", f"Stopping container {name}", container=name)
        known.plan = _ended(known.life, min(grace, known.fate.stop_seconds))
        self._go_on(known.life.uid, known.plan)

    def _go_on(self, uid: str, plan: Plan) -> None:
        known = self._pods.get(uid)
        if known is None or known.plan is not plan:
            return  # the pod is being deleted: its fate is over
        try:
            seconds = next(plan, None)
        except StatusError as error:
            _log.info("%s: %s", known.life.name, error)
            return
        if seconds is not None:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), uid, plan))


def _ended(life: PodLife, seconds: float) -> Plan:
    yield seconds
    life.remove()


def check_has_run(pod: Object, container: str, *, previous: bool) -> None:
    """Raise StatusError 400, with the kubelet's text, where a container has no logs."""
    name = pod["metadata"]["name"]
    statuses = pod.get("status", {}).get("containerStatuses", [])
    found: Object = next((status for status in statuses if status["name"] == container), {})
    if previous and not found.get("lastState"):
        raise StatusError(400, f'previous terminated container "{container}" in pod "{name}" not found')
    waiting = found.get("state", {"waiting": {"reason": "ContainerCreating"}}).get("waiting")
    if waiting and not found.get("lastState"):
        reason = waiting["reason"]
        why = "trying and failing to pull image" if reason in {"ErrImagePull", "ImagePullBackOff"} else reason
        raise StatusError(400, f'container "{container}" in pod "{name}" is waiting to start: {why}')
