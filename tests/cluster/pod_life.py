"""A pod's status and events as its kubelet reports them, from Pending to its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.cluster.events import Recorder
from tests.cluster.owners import find_condition
from tests.cluster.status import StatusError
from tests.cluster.store import Object, Store


@dataclass
class ContainerReport:
    """What is known of one container; `state` and `last_state` have the API's shape."""

    image: str
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last_state: Object = field(default_factory=dict)
    image_id: str = ""
    container_id: str = ""
    ready: bool = False
    started: bool = False
    restarts: int = 0


class PodLife:
    """One pod on its node: what happens to it is told here, and is written to its status and its events."""

    def __init__(self, store: Store, pod: Object, *, node_address: str = "192.0.2.10") -> None:
        self._store = store
        self._node_address = node_address
        self._events = Recorder(store, "kubelet", pod["spec"].get("nodeName", ""))
        self._started = store.now()
        self.pod = pod
        self.uid: str = pod["metadata"]["uid"]
        self.namespace: str = pod["metadata"]["namespace"]
        self.name: str = pod["metadata"]["name"]
        self.address = ""
        self.restart_policy: str = pod["spec"].get("restartPolicy", "Always")
        self.containers = {c["name"]: ContainerReport(c["image"]) for c in pod["spec"]["containers"]}

    @property
    def in_messages(self) -> str:
        """As the kubelet names a pod in its texts."""
        return f"{self.name}_{self.namespace}({self.uid})"

    def event(self, reason: str, message: str, *, warning: bool = False, container: str = "") -> None:
        self._events.record(self.pod, reason, message, warning=warning, container=container)

    def waiting(self, container: str, reason: str, message: str = "") -> None:
        """A container that does not run, yet or again."""
        self._ended_before(container)
        report = self.containers[container]
        report.state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        report.ready = report.started = False
        self.report()

    def running(self, container: str, container_id: str = "", image_id: str = "") -> None:
        """A container that has been started."""
        self._ended_before(container)
        report = self.containers[container]
        report.state = {"running": {"startedAt": self._store.now()}}
        report.container_id, report.image_id = container_id, image_id
        self.report()

    def probed(self, container: str, *, started: bool, ready: bool) -> None:
        """What a container's probes say of it."""
        report = self.containers[container]
        if (report.started, report.ready) != (started, ready):
            report.started, report.ready = started, ready
            self.report()

    def terminated(self, container: str, exit_code: int, reason: str = "", message: str = "") -> None:
        """A container that ended; the reason is Completed or Error by its exit code, if not given."""
        report = self.containers[container]
        began = report.state.get("running", {}).get("startedAt", self._store.now())
        report.state = {
            "terminated": {
                "exitCode": exit_code,
                "reason": reason or ("Error" if exit_code else "Completed"),
                **({"message": message} if message else {}),
                "startedAt": began,
                "finishedAt": self._store.now(),
                **({"containerID": report.container_id} if report.container_id else {}),
            }
        }
        report.ready = report.started = False
        self.report()

    def restarting(self, container: str) -> None:
        """A container that is about to be made again."""
        self.containers[container].restarts += 1

    def report(self) -> None:
        """Write the status; a pod that is gone, or that has been replaced by another of its name, has none."""

        def change(pod: Object) -> None:
            if pod["metadata"]["uid"] == self.uid:
                pod["status"] = self._status(pod)

        try:
            self._store.update("Pod", self.namespace, self.name, change, subresource="status")
        except StatusError as error:
            if error.code != 404:
                raise

    def remove(self) -> None:
        """The pod has ended on its node: it goes from the API."""
        try:
            self._store.delete("Pod", self.namespace, self.name, uid=self.uid, grace_seconds=0)
        except StatusError as error:
            if error.code not in {404, 409}:
                raise

    def _ended_before(self, container: str) -> None:
        report = self.containers[container]
        if "terminated" in report.state:
            report.last_state = report.state

    def _status(self, pod: Object) -> Object:
        phase = self._phase()
        status = {
            "phase": phase,
            "conditions": self._conditions(pod, phase),
            "hostIP": self._node_address,
            "hostIPs": [{"ip": self._node_address}],
            "startTime": self._started,
            "containerStatuses": [self._container(name) for name in sorted(self.containers)],
            "qosClass": _quality(pod),
        }
        return status | ({"podIP": self.address, "podIPs": [{"ip": self.address}]} if self.address else {})

    def _phase(self) -> str:
        reports = self.containers.values()
        ended = [report.state["terminated"]["exitCode"] for report in reports if "terminated" in report.state]
        if len(ended) == len(reports) and self.restart_policy != "Always":
            if not any(ended):
                return "Succeeded"
            return "Failed" if self.restart_policy == "Never" else "Running"
        never_ran = any("waiting" in report.state and not report.last_state for report in reports)
        return "Pending" if never_ran else "Running"

    def _container(self, name: str) -> Object:
        report = self.containers[name]
        return {
            "name": name,
            "image": report.image,
            "imageID": report.image_id,
            **({"containerID": report.container_id} if report.container_id else {}),
            "ready": report.ready,
            "started": report.started,
            "restartCount": report.restarts,
            "state": report.state,
            "lastState": report.last_state,
        }

    def _conditions(self, pod: Object, phase: str) -> list[Object]:
        unready = [name for name, report in self.containers.items() if not report.ready]
        if phase in {"Succeeded", "Failed"}:
            why = {"reason": "PodCompleted" if phase == "Succeeded" else "PodFailed"}
        else:
            listed = " ".join(unready)
            why = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{listed}]"}
        ready = {"status": "False", **why} if unready else {"status": "True"}
        wanted = {
            "PodReadyToStartContainers": {"status": str(bool(self.address))},
            "Initialized": {"status": "True"},
            "Ready": ready,
            "ContainersReady": ready,
        }
        scheduled = find_condition(pod, "PodScheduled")
        made = [self._condition(pod, type_, value) for type_, value in wanted.items()]
        return made + ([scheduled] if scheduled else [])

    def _condition(self, pod: Object, type_: str, value: Object) -> Object:
        before = find_condition(pod, type_)
        same = before is not None and before["status"] == value["status"]
        since = before["lastTransitionTime"] if before and same else self._store.now()
        return {"type": type_, "lastProbeTime": None, "lastTransitionTime": since, **value}


def _quality(pod: Object) -> str:
    resources = [container.get("resources", {}) for container in pod["spec"]["containers"]]
    if not any(each.get("requests") or each.get("limits") for each in resources):
        return "BestEffort"
    equal = all(
        each.get("limits", {}).get(name) is not None
        and each.get("requests", each["limits"]).get(name, each["limits"][name]) == each["limits"][name]
        for each in resources
        for name in ("cpu", "memory")
    )
    return "Guaranteed" if equal else "Burstable"
