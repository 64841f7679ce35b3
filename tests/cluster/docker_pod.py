"""One pod on a real Docker engine: from the pull of its image to the end of its last container."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.cluster import fates
from tests.cluster.bridge import Bridge
from tests.cluster.docker_container import DockerContainer
from tests.cluster.pod_deletion import Deletion
from tests.cluster.pod_life import PodLife
from tests.cluster.pod_preparation import Backoff, Preparation
from tests.cluster.store import Object, Store


class DockerPod:
    """Runs a pod's one container in a thread, until the pod is deleted and nothing of it is left on the engine."""

    def __init__(self, client: Any, store: Store, pod: Object, bridge: Bridge, backoff: Backoff) -> None:
        self.life = PodLife(store, pod, node_address=bridge.gateway)
        self.current: DockerContainer | None = None
        self.previous: DockerContainer | None = None
        self.error: Exception | None = None
        self._deletion = Deletion()
        self._client = client
        self._bridge = bridge
        self._backoff = backoff
        self._spec: Object = pod["spec"]["containers"][0]
        self._name: str = self._spec["name"]
        self._preparation = Preparation(client, store, self.life, self._deletion, backoff)
        self._thread = threading.Thread(target=self._run, name=f"pod-{self.life.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def delete(self, grace_seconds: float) -> None:
        """Begin to end it."""
        self._deletion.begin(grace_seconds)

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="slipway-test-volumes-") as folder:
                self._live(Path(folder))
                self._deletion.wait()
        except Exception as error:
            if not self._deletion.begun:  # else it was taken from under its thread
                self.error = error
            self._deletion.wait()
        for container in (self.current, self.previous):
            if container is not None:
                container.remove()
        self.life.remove()

    def _live(self, folder: Path) -> None:
        self.life.report()
        spec = self.life.pod["spec"]
        if len(spec["containers"]) > 1 or spec.get("initContainers"):
            text = "Failed to create pod sandbox: this cluster runs pods of one container"
            self.life.event("FailedCreatePodSandBox", text, warning=True)
            return
        self.life.address = self._bridge.pod_address()
        runs = 0
        while self._preparation.have_image() and (settings := self._preparation.find_settings(folder)) is not None:
            code = self._run_once(settings)
            runs += 1
            if self._deletion.begun or not self._runs_again(code):
                return
            self._wait_before_restart(runs)

    def _run_once(self, settings: dict[str, Any]) -> int:
        """The exit code of one run of the container."""
        if self.previous is not None:
            self.previous.remove()
        self.previous = self.current
        self.current = DockerContainer(self._client, self._bridge, self.life, self._spec)
        if not self.current.start(settings):
            return 128
        self.current.follow(self._deletion)
        if self._deletion.begun:
            self.life.event("Killing", f"Stopping container {self._name}", container=self._name)
            self.current.stop(self._deletion.left_seconds())
        return self.current.finish()

    def _runs_again(self, code: int) -> bool:
        policy = self.life.restart_policy
        return policy == "Always" or (policy == "OnFailure" and code != 0)

    def _wait_before_restart(self, runs: int) -> None:
        """The first time it is started again at once, then later and later."""
        if runs > 1:
            seconds = self._backoff.seconds(runs - 1)
            fates.postponed(self.life, self._name, seconds)
            self._deletion.pause(seconds)
        if not self._deletion.begun:
            self.life.restarting(self._name)
