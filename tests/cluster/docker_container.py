"""One container of a pod on the Docker engine: started, probed, and stopped as the kubelet does."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from typing import Any

from tests.cluster import fates
from tests.cluster.bridge import LABEL, Bridge
from tests.cluster.name_server import search_domains
from tests.cluster.pod_deletion import Deletion
from tests.cluster.pod_life import PodLife
from tests.cluster.probes import KINDS, Tally, find_probe
from tests.cluster.store import Object

LEAST_GRACE_SECONDS = 2.0  # what is left to a container after a preStop that took all of the grace period
LOOK_SECONDS = 0.05
_WHY_STOPPED = {"Startup": "failed startup probe", "Liveness": "failed liveness probe"}


class DockerContainer:
    """One run of a pod's container; a restart makes another."""

    def __init__(self, client: Any, bridge: Bridge, life: PodLife, spec: Object) -> None:
        self._client = client
        self._bridge = bridge
        self._life = life
        self._spec = spec
        self._name: str = spec["name"]
        self._container: Any = None
        self._exited = threading.Event()

    def start(self, settings: Mapping[str, Any]) -> bool:
        """Whether the engine could start it."""
        import docker

        network = self._bridge.name
        address = self._client.api.create_endpoint_config(ipv4_address=self._life.address)
        try:
            self._container = self._client.containers.create(
                self._spec["image"],
                network=network,
                networking_config={network: address},
                dns=[self._bridge.gateway],
                dns_search=search_domains(self._life.namespace),
                dns_opt=["ndots:5"],
                labels={LABEL: self._bridge.label, "slipway.test.pod": self._life.uid},
                **settings,
            )
            self._container.start()
        except docker.errors.APIError as error:
            text = f"failed to create containerd task: {error.explanation or error}"
            self._life.event("Failed", f"Error: {text}", warning=True, container=self._name)
            self._life.terminated(self._name, 128, "StartError", text)
            return False
        fates.run(self._life, self._name, f"docker://{self._container.id}", self._image_id())
        threading.Thread(target=self._watch, daemon=True).start()
        return True

    def _image_id(self) -> str:
        image = self._client.images.get(self._spec["image"])
        return str(next(iter(image.attrs.get("RepoDigests") or []), image.id))

    def _watch(self) -> None:
        """Notice the container's end; one that is removed has ended as well."""
        with contextlib.suppress(Exception):
            self._client.api.wait(self._container.id, timeout=86400)
        self._exited.set()

    def follow(self, deletion: Deletion) -> None:
        """Probe it until it ends, or has to by a probe, or its pod is deleted."""
        found = ((kind, find_probe(self._spec, kind)) for kind in KINDS)
        probes = {kind: Tally(probe) for kind, probe in found if probe}
        started = False
        while not deletion.begun and not self._exited.is_set():
            if not started and ("Startup" not in probes or probes["Startup"].passed):
                started = True
                self._life.probed(self._name, started=True, ready="Readiness" not in probes)
            active = {kind: tally for kind, tally in probes.items() if started is not (kind == "Startup")}
            for kind, tally in active.items():
                if tally.due <= time.monotonic() and not self._asked(kind, tally):
                    return
            self._exited.wait(LOOK_SECONDS)

    def _asked(self, kind: str, tally: Tally) -> bool:
        """Ask one probe; False: the container has been stopped for its answer."""
        why = tally.probe.ask(self._life.address)
        if self._exited.is_set():
            return True
        if why:
            fates.unhealthy(self._life, self._name, kind, why)
        tally.add(why is None)
        if kind == "Readiness" and tally.passed is not None:
            self._life.probed(self._name, started=True, ready=tally.passed)
        elif tally.passed is False:
            text = f"Container {self._name} {_WHY_STOPPED[kind]}, will be restarted"
            self._life.event("Killing", text, container=self._name)
            self.stop(self._life.pod["spec"].get("terminationGracePeriodSeconds", 30))
            return False
        return True

    def stop(self, grace_seconds: float) -> None:
        """preStop, then SIGTERM, then SIGKILL at the end of the grace period."""
        deadline = time.monotonic() + grace_seconds
        self._run_pre_stop(grace_seconds)
        if not self._exited.is_set():
            left = max(deadline - time.monotonic(), LEAST_GRACE_SECONDS if grace_seconds else 0)
            self._signal("SIGTERM" if left else "SIGKILL")
            if not self._exited.wait(left):
                self._signal("SIGKILL")
        self._exited.wait(20)

    def _run_pre_stop(self, grace_seconds: float) -> None:
        hook = self._spec.get("lifecycle", {}).get("preStop", {})
        if "sleep" in hook:
            self._exited.wait(min(grace_seconds, hook["sleep"]["seconds"]))
        elif "exec" in hook and grace_seconds:
            with contextlib.suppress(Exception):
                self._container.exec_run(hook["exec"]["command"])

    def _signal(self, name: str) -> None:
        with contextlib.suppress(Exception):  # it has just ended
            self._container.kill(name)

    def finish(self) -> int:
        """Its exit code, reported."""
        import docker

        self._exited.wait(20)
        try:
            self._container.reload()
        except docker.errors.NotFound:  # removed with the network
            return 137
        state = self._container.attrs["State"]
        code = int(state["ExitCode"])
        self._life.terminated(self._name, code, "OOMKilled" if state["OOMKilled"] else "")
        return code

    def logs(self) -> str:
        text: bytes = self._container.logs()
        return text.decode(errors="replace")

    def remove(self) -> None:
        import docker

        if self._container is not None:
            with contextlib.suppress(docker.errors.APIError):
                self._container.remove(force=True, v=True)
