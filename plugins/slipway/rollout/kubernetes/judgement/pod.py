"""A pod and its containers, as their status tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from slipway.rollout.kubernetes.judgement.api_object import (
    Json,
    condition,
    field,
    find_number,
    find_time,
    number,
    objects,
    text,
)
from slipway.rollout.kubernetes.judgement.exit_code import exit_text
from slipway.rollout.kubernetes.judgement.wording import reference

_DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Ending:
    """How a container's run ended."""

    exit_code: int | None
    signal: int
    reason: str
    message: str
    started: datetime | None
    finished: datetime | None

    @classmethod
    def parse(cls, state: Json) -> Ending:
        """Read the `terminated` of a state."""
        return cls(
            exit_code=find_number(state, "exitCode"),
            signal=number(state, "signal"),
            reason=text(state, "reason"),
            message=text(state, "message"),
            started=find_time(state, "startedAt"),
            finished=find_time(state, "finishedAt"),
        )

    @property
    def is_out_of_memory(self) -> bool:
        """Whether the kernel killed it at its memory limit."""
        return self.reason == "OOMKilled"

    @property
    def said(self) -> str:
        """How it ended, as a person says it."""
        return (
            "it needed more memory than its limit" if self.is_out_of_memory else exit_text(self.exit_code, self.signal)
        )


@dataclass(frozen=True)
class Container:
    """One container of a pod: its status, and its spec where that is known."""

    status: Json
    spec: Json

    @property
    def name(self) -> str:
        """Its name in the pod."""
        return text(self.status, "name")

    @property
    def image(self) -> str:
        """The image as the pod's spec names it."""
        return text(self.spec, "image") or text(self.status, "image")

    @property
    def ready(self) -> bool:
        """Whether its readiness probe succeeds (an init container: whether it has done its work)."""
        return field(self.status, "ready") is True

    @property
    def is_starting(self) -> bool:
        """Whether its startup probe has yet to succeed."""
        return field(self.status, "started") is False

    @property
    def waiting(self) -> str:
        """The reason for which it does not run yet, e.g. ``"CrashLoopBackOff"``, or an empty string."""
        return text(self.status, "state", "waiting", "reason")

    @property
    def waiting_message(self) -> str:
        """What the kubelet says to that."""
        return text(self.status, "state", "waiting", "message")

    @property
    def is_running(self) -> bool:
        """Whether it runs now."""
        return field(self.status, "state", "running") is not None

    @property
    def running_since(self) -> datetime | None:
        """When the present run began."""
        return find_time(self.status, "state", "running", "startedAt")

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return number(self.status, "restartCount")

    @property
    def endings(self) -> int:
        """How many of its runs have ended."""
        return self.restarts + (0 if self.is_running or self.ending is None else 1)

    @property
    def ending(self) -> Ending | None:
        """How the last run that ended did so, or None."""
        state = field(self.status, "state", "terminated") or field(self.status, "lastState", "terminated")
        return Ending.parse(state) if isinstance(state, dict) else None

    @property
    def has_previous(self) -> bool:
        """Whether there is a log of a previous run."""
        return field(self.status, "lastState", "terminated") is not None

    @property
    def memory_limit(self) -> str:
        """Its memory limit, e.g. ``"512Mi"``, or an empty string."""
        return text(self.spec, "resources", "limits", "memory")

    @property
    def startup_seconds(self) -> float:
        """How long its startup probe allows; 0 without one."""
        probe = field(self.spec, "startupProbe")
        if not isinstance(probe, dict):
            return 0
        tries = number(probe, "failureThreshold", default=3) * number(probe, "periodSeconds", default=10)
        return min(number(probe, "initialDelaySeconds") + tries, _DAY_SECONDS)


@dataclass(frozen=True)
class Pod:
    """One pod."""

    obj: Json

    @property
    def name(self) -> str:
        """Its name."""
        return text(self.obj, "metadata", "name")

    @property
    def on(self) -> str:
        """What a person calls it."""
        return reference("pod", self.obj)

    @property
    def node(self) -> str:
        """The node it was put on, or an empty string."""
        return text(self.obj, "spec", "nodeName")

    @property
    def phase(self) -> str:
        """Pending, Running, Succeeded, Failed or Unknown."""
        return text(self.obj, "status", "phase")

    @property
    def started(self) -> datetime | None:
        """When the kubelet took it up, or else when it was made."""
        return find_time(self.obj, "status", "startTime") or find_time(self.obj, "metadata", "creationTimestamp")

    @property
    def is_deleted(self) -> bool:
        """Whether it is being deleted."""
        return field(self.obj, "metadata", "deletionTimestamp") is not None

    @property
    def is_active(self) -> bool:
        """Whether its ReplicaSet counts it: it is not being deleted and has not ended."""
        return not self.is_deleted and self.phase not in {"Succeeded", "Failed"}

    @property
    def is_ready(self) -> bool:
        """Whether it is ready."""
        return condition(self.obj, "Ready").get("status") == "True"

    @property
    def memory_request(self) -> str:
        """The memory that its first container asks for, or an empty string."""
        return self._request("memory")

    @property
    def cpu_request(self) -> str:
        """The CPU that its first container asks for, or an empty string."""
        return self._request("cpu")

    def containers(self) -> Iterator[Container]:
        """Its init containers and containers that have a status."""
        for statuses, specs in (("initContainerStatuses", "initContainers"), ("containerStatuses", "containers")):
            by_name = {text(spec, "name"): spec for spec in objects(self.obj, "spec", specs)}
            for status in objects(self.obj, "status", statuses):
                yield Container(status, by_name.get(text(status, "name"), {}))

    def _request(self, resource: str) -> str:
        first = next(iter(objects(self.obj, "spec", "containers")), {})
        return text(first, "resources", "requests", resource)
