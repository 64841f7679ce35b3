"""A kubelet that runs pods as containers of a real Docker engine, on a network of the cluster's own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from tests.cluster.bridge import Bridge
from tests.cluster.docker_pod import DockerPod
from tests.cluster.kubelets import check_has_run
from tests.cluster.owners import is_ending
from tests.cluster.pod_preparation import Backoff
from tests.cluster.status import StatusError
from tests.cluster.store import Object, Store


class DockerKubelet:
    """Runs every pod that is on a node; all nodes are this machine.

    Args:
        client: `docker.DockerClient` of an engine on this machine.
        bridge: the cluster's network; who made it removes it.
    """

    def __init__(self, client: Any, store: Store, bridge: Bridge, *, backoff: Backoff | None = None) -> None:
        self._client = client
        self._store = store
        self._bridge = bridge
        self._backoff = backoff or Backoff()
        self.errors: list[Exception] = []
        self._pods: dict[str, DockerPod] = {}
        self._changes: queue.SimpleQueue[tuple[str, Object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="docker-kubelet", daemon=True)
        self._unsubscribe: Callable[[], object] = lambda: None

    def start(self) -> None:
        self._unsubscribe = self._store.subscribe(self._notice)
        for pod in self._store.list("Pod"):
            self._changes.put(("ADDED", pod))
        self._thread.start()

    def stop(self) -> None:
        """End all pods at once, without grace. Raises ExceptionGroup of what was wrong in the kubelet itself."""
        self._unsubscribe()
        self._changes.put(None)
        if self._thread.is_alive():
            self._thread.join(20)
        for pod in self._pods.values():
            pod.delete(0)
        for pod in self._pods.values():
            pod.join(30)
            self._note_error(pod)
        if self.errors:
            raise ExceptionGroup("pods failed, not by themselves", self.errors)

    def logs(self, pod: Object, container: str = "", *, previous: bool = False) -> str:
        """What a container has written. Raises StatusError 400 where it has not run."""
        name = container or pod["spec"]["containers"][0]["name"]
        known = self._pods.get(pod["metadata"]["uid"])
        if known is None or name not in known.life.containers:
            raise StatusError(400, f"container {name} is not valid for pod {pod['metadata']['name']}")
        check_has_run(pod, name, previous=previous)
        waits = "waiting" in pod["status"]["containerStatuses"][0]["state"]
        # While it waits to be started again, the run that ended is both the last one and the previous one.
        run = known.previous if previous and not waits else known.current
        return run.logs() if run is not None else ""

    def open_port(self, pod: Object, port: int) -> tuple[str, int]:
        """Where a port of a pod can be reached. Raises StatusError 500 where the pod has no address yet."""
        known = self._pods.get(pod["metadata"]["uid"])
        if known is None or not known.life.address:
            raise StatusError(500, f"pod {pod['metadata']['name']} is not running: no port {port}")
        return known.life.address, port

    def _notice(self, type_: str, obj: Object) -> None:
        if obj["kind"] == "Pod":
            self._changes.put((type_, obj))

    def _run(self) -> None:
        while (change := self._changes.get()) is not None:
            type_, pod = change
            uid = pod["metadata"]["uid"]
            if type_ == "DELETED":
                self._forget(uid)
            elif uid in self._pods:
                if is_ending(pod):
                    self._pods[uid].delete(pod["metadata"]["deletionGracePeriodSeconds"])
            elif pod["spec"].get("nodeName"):
                self._pods[uid] = DockerPod(self._client, self._store, pod, self._bridge, self._backoff)
                self._pods[uid].start()

    def _forget(self, uid: str) -> None:
        """A pod that is gone from the API: by its own end, or by force."""
        known = self._pods.pop(uid, None)
        if known is not None:
            self._note_error(known)
            known.delete(0)

    def _note_error(self, pod: DockerPod) -> None:
        if pod.error is not None:
            self.errors.append(pod.error)
