"""What may become of a pod: plans that a scripted kubelet carries out, with the texts of a real one.

A plan tells a `PodLife` what happens and yields how many seconds to wait before it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.cluster.pod_life import PodLife

Plan = Iterator[float]

_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Fate:
    """A plan, what its containers write, where its port is, and how long it takes to stop."""

    plan: Callable[[PodLife], Plan]
    logs: str = ""
    address: tuple[str, int] | None = None
    stop_seconds: float = 0.01


def ready(after_seconds: float = 0.01, *, logs: str = "", address: tuple[str, int] | None = None) -> Fate:
    """It runs and is ready a while later."""

    def plan(life: PodLife) -> Plan:
        yield from _started(life, after_seconds)
        for name in life.containers:
            life.probed(name, started=True, ready=True)

    return Fate(plan, logs, address)


def pending() -> Fate:
    """Its containers are being made, for ever."""

    def plan(life: PodLife) -> Plan:
        yield from _created(life)

    return Fate(plan)


def image_absent(why: str = "") -> Fate:
    """Its image cannot be pulled; `why` is the registry's answer."""

    def plan(life: PodLife) -> Plan:
        yield from _created(life)
        while True:
            for name, report in life.containers.items():
                pull_failed(life, name, why or not_found_text(report.image))
            yield 0.02
            for name, report in life.containers.items():
                pull_postponed(life, name, why or not_found_text(report.image))
            yield 1

    return Fate(plan)


def crash(exit_code: int = 1, *, logs: str = "", runs_seconds: float = 0.01, reason: str = "") -> Fate:
    """It ends soon after each start; from the second time on it is started again later and later."""

    def plan(life: PodLife) -> Plan:
        yield from _started(life, runs_seconds)
        delay_seconds = 10
        while True:
            for name in life.containers:
                life.terminated(name, exit_code, reason)
            yield 0.01
            if any(report.restarts for report in life.containers.values()):
                for name in life.containers:
                    postponed(life, name, delay_seconds)
                yield 0.1
                delay_seconds = min(300, delay_seconds * 2)
            for name in life.containers:
                life.restarting(name)
                run(life, name)
            yield runs_seconds

    return Fate(plan, logs)


def oom(*, logs: str = "") -> Fate:
    """The kernel ends it, each time, as it wants more memory than its limit."""
    return crash(137, logs=logs, reason="OOMKilled")


def never_ready(status: int = 503, *, logs: str = "") -> Fate:
    """It runs, and its readiness probe fails every time."""

    def plan(life: PodLife) -> Plan:
        yield from _started(life, 0.01)
        for name in life.containers:
            life.probed(name, started=True, ready=False)
        while True:
            for name in life.containers:
                unhealthy(life, name, "Readiness", f"HTTP probe failed with statuscode: {status}")
            yield 0.05

    return Fate(plan, logs)


def never_started(status: int = 503, *, logs: str = "", failures: int = 3) -> Fate:
    """Its startup probe fails every time, for which it is started again and again."""

    def plan(life: PodLife) -> Plan:
        yield from _started(life, 0.01)
        while True:
            for _ in range(failures):
                for name in life.containers:
                    unhealthy(life, name, "Startup", f"HTTP probe failed with statuscode: {status}")
                yield 0.01
            for name in life.containers:
                text = f"Container {name} failed startup probe, will be restarted"
                life.event("Killing", text, container=name)
                life.terminated(name, 143)
                life.restarting(name)
                run(life, name)
            yield 0.01

    return Fate(plan, logs)


def config_error(message: str) -> Fate:
    """What its environment refers to is not there: `configmap "keys" not found`."""

    def plan(life: PodLife) -> Plan:
        yield from _created(life)
        while True:
            for name in life.containers:
                config_failed(life, name, message)
            yield 0.1

    return Fate(plan)


def ends(exit_code: int = 0, *, after_seconds: float = 0.01, logs: str = "", reason: str = "") -> Fate:
    """It runs once, as a Job's pod does."""

    def plan(life: PodLife) -> Plan:
        yield from _started(life, after_seconds)
        for name in life.containers:
            life.terminated(name, exit_code, reason)

    return Fate(plan, logs)


# ------------------------------------------------------------------------------- what a real kubelet reports then


def not_found_text(image: str) -> str:
    """What a kubelet says of an image that its registry does not have."""
    return (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": '
        f'failed to resolve reference "{image}": {image}: not found'
    )


def pull_failed(life: PodLife, container: str, why: str) -> None:
    image = life.containers[container].image
    life.event("Pulling", f'Pulling image "{image}"', container=container)
    life.event("Failed", f'Failed to pull image "{image}": {why}', warning=True, container=container)
    life.event("Failed", "Error: ErrImagePull", warning=True, container=container)
    life.waiting(container, "ErrImagePull", why)


def pull_postponed(life: PodLife, container: str, why: str) -> None:
    image = life.containers[container].image
    life.event("BackOff", f'Back-off pulling image "{image}"', container=container)
    life.event("Failed", "Error: ImagePullBackOff", warning=True, container=container)
    life.waiting(container, "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {why}')


def config_failed(life: PodLife, container: str, message: str) -> None:
    life.event("Failed", f"Error: {message}", warning=True, container=container)
    life.waiting(container, "CreateContainerConfigError", message)


def postponed(life: PodLife, container: str, delay_seconds: float) -> None:
    """CrashLoopBackOff."""
    shown = f"{delay_seconds:g}s" if delay_seconds < 60 else f"{delay_seconds // 60:g}m{delay_seconds % 60:g}s"
    text = f"Back-off restarting failed container {container} in pod {life.in_messages}"
    life.event("BackOff", text, warning=True, container=container)
    message = f"back-off {shown} restarting failed container={container} pod={life.in_messages}"
    life.waiting(container, "CrashLoopBackOff", message)


def unhealthy(life: PodLife, container: str, probe: str, why: str) -> None:
    """`probe`: Startup, Readiness or Liveness."""
    life.event("Unhealthy", f"{probe} probe failed: {why}", warning=True, container=container)


def run(life: PodLife, container: str, container_id: str = "containerd://scripted", image_id: str = "") -> None:
    life.event("Created", f"Created container: {container}", container=container)
    life.event("Started", f"Started container {container}", container=container)
    life.running(container, container_id, image_id or f"{life.containers[container].image.partition('@')[0]}@{_DIGEST}")


def _created(life: PodLife) -> Plan:
    life.report()
    yield 0.002


def _started(life: PodLife, seconds: float) -> Plan:
    yield from _created(life)
    life.address = f"10.244.0.{1 + int(life.uid[:8], 16) % 254}"
    for name, report in life.containers.items():
        life.event("Pulled", f'Container image "{report.image}" already present on machine', container=name)
        run(life, name)
    yield seconds
