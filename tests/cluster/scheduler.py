"""The scheduler: a node with room for each pod, or the reason why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tests.cluster.amounts import pod_requests
from tests.cluster.events import Recorder
from tests.cluster.owners import find_condition, is_ending
from tests.cluster.quantities import parse
from tests.cluster.store import Object, Store

_SELECTOR = "node(s) didn't match Pod's node affinity/selector"


@dataclass(frozen=True)
class Node:
    """What a node offers to pods."""

    name: str = "node-1"
    cpu: str = "8"
    memory: str = "16Gi"
    pods: int = 110
    labels: dict[str, str] = field(default_factory=dict)

    def as_object(self) -> Object:
        """The Node, as its kubelet registers it."""
        room = {"cpu": self.cpu, "memory": self.memory, "pods": str(self.pods)}
        labels = {"kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": labels | self.labels},
            "spec": {},
            "status": {
                "capacity": room,
                "allocatable": dict(room),
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            },
        }


class Scheduler:
    """Binds pods to nodes, each time `sync` is called."""

    def __init__(self, store: Store, nodes: Sequence[Node] = (Node(),)) -> None:
        self._store = store
        self._events = Recorder(store, "default-scheduler")
        for node in nodes:
            if store.find("Node", "", node.name) is None:
                store.create(node.as_object())

    def sync(self) -> None:
        waiting = [
            pod
            for pod in self._store.list("Pod")
            if not pod["spec"].get("nodeName") and not is_ending(pod) and not pod["spec"].get("schedulingGates")
        ]
        for pod in sorted(waiting, key=lambda pod: str(pod["metadata"]["creationTimestamp"])):
            self._place(pod)

    def _place(self, pod: Object) -> None:
        nodes = self._store.list("Node")
        problems = {node["metadata"]["name"]: self._problems(pod, node) for node in nodes}
        free = [name for name, found in problems.items() if not found]
        if free:
            self._bind(pod, min(free, key=lambda name: len(self._pods_on(name))))
            return
        self._report(pod, why_unschedulable(list(problems.values())))

    def _pods_on(self, node: str) -> list[Object]:
        pods = self._store.list("Pod")
        ended = {"Succeeded", "Failed"}
        return [p for p in pods if p["spec"].get("nodeName") == node and p.get("status", {}).get("phase") not in ended]

    def _problems(self, pod: Object, node: Object) -> list[str]:
        labels = node["metadata"].get("labels", {}).items()
        if not pod["spec"].get("nodeSelector", {}).items() <= labels:
            return [_SELECTOR]
        room = node["status"]["allocatable"]
        there = self._pods_on(node["metadata"]["name"])
        problems = ["Too many pods"] if len(there) + 1 > int(room["pods"]) else []
        for resource, wanted in pod_requests(pod).items():
            used = sum((pod_requests(each).get(resource, Decimal(0)) for each in there), Decimal(0))
            if used + wanted > parse(room.get(resource, "0")):
                problems.append(f"Insufficient {resource}")
        return problems

    def _bind(self, pod: Object, node: str) -> None:
        meta = pod["metadata"]
        pod["spec"]["nodeName"] = node
        bound = self._store.put(pod)
        condition = {"type": "PodScheduled", "status": "True", "lastProbeTime": None}
        _set_scheduled(self._store, bound, condition)
        text = f"Successfully assigned {meta['namespace']}/{meta['name']} to {node}"
        self._events.record(bound, "Scheduled", text)

    def _report(self, pod: Object, text: str) -> None:
        before = find_condition(pod, "PodScheduled")
        if before is not None and before.get("message") == text:
            return
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
        _set_scheduled(self._store, pod, condition | {"lastProbeTime": None})
        self._events.record(pod, "FailedScheduling", text, warning=True)


def why_unschedulable(problems: Sequence[Sequence[str]]) -> str:
    """The scheduler's text; `problems` of each node."""
    total = len(problems)
    if not total:
        return "no nodes available to schedule pods"
    counted = Counter(problem for node in problems for problem in node)
    listed = ", ".join(f"{number} {problem}" for problem, number in sorted(counted.items()))
    hopeless = sum(_SELECTOR in node for node in problems)
    parts = [(total - hopeless, "No preemption victims found for incoming pod")]
    parts.append((hopeless, "Preemption is not helpful for scheduling"))
    preemption = ", ".join(f"{number} {what}" for number, what in parts if number)
    head = f"0/{total} nodes are available:"
    return f"{head} {listed}. preemption: {head} {preemption}."


def _set_scheduled(store: Store, pod: Object, condition: Object) -> None:
    def change(stored: Object) -> None:
        status = stored.setdefault("status", {})
        status.setdefault("phase", "Pending")
        others = [each for each in status.get("conditions", []) if each["type"] != "PodScheduled"]
        status["conditions"] = [*others, condition | {"lastTransitionTime": store.now()}]

    store.update("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"], change, subresource="status")
