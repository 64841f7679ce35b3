"""Everything that makes a stand-in cluster run, started and stopped together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tests.cluster.bridge import Bridge, bridge
from tests.cluster.controllers import Controllers
from tests.cluster.docker_kubelet import DockerKubelet
from tests.cluster.network import ServiceNetwork
from tests.cluster.pod_preparation import Backoff
from tests.cluster.replica_sets import Admit, admit_all
from tests.cluster.scheduler import Node
from tests.cluster.store import Object, Store

T = TypeVar("T")


class Part(Protocol):
    """A part of a cluster with a thread of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Kubelet(Part, Protocol):
    """What runs the pods, and knows what they write and where their ports are."""

    def logs(self, pod: Object, container: str = "", *, previous: bool = False) -> str:
        """What a container has written. Raises StatusError 400."""
        ...

    def open_port(self, pod: Object, port: int) -> tuple[str, int]:
        """Where a port of a pod can be reached. Raises StatusError 500."""
        ...


@contextmanager
def with_controllers(
    store: Store,
    kubelet: Kubelet,
    *more: Part,
    nodes: Sequence[Node] = (Node(),),
    admit: Admit = admit_all,
) -> Iterator[Controllers]:
    """The controllers, the scheduler, a kubelet and `more` parts over a store, while the context is open."""
    controllers = Controllers(store, nodes=nodes, admit=admit)
    with ExitStack() as stack:
        for part in (kubelet, *more, controllers):
            stack.callback(part.stop)
            part.start()
        yield controllers


@dataclass(frozen=True)
class Running:
    """The parts of a cluster whose pods are containers."""

    kubelet: DockerKubelet
    network: ServiceNetwork
    bridge: Bridge


@contextmanager
def on_docker(
    store: Store,
    client: Any,
    *,
    nodes: Sequence[Node] = (Node(),),
    admit: Admit = admit_all,
    backoff: Backoff | None = None,
    endpoint_delay_seconds: float = 1,
) -> Iterator[Running]:
    """Everything over a store, with pods as containers of the engine of `client` on a network of their own.

    Without root or iproute2 the test is skipped, or fails in the gate. Nothing is left on the engine afterwards.
    """
    with bridge(client) as made:
        kubelet = DockerKubelet(client, store, made, backoff=backoff)
        network = ServiceNetwork(store, made, delay_seconds=endpoint_delay_seconds)
        with with_controllers(store, kubelet, network, nodes=nodes, admit=admit):
            yield Running(kubelet, network, made)


def wait_until(store: Store, find: Callable[[], T], seconds: float = 10) -> T:
    """What `find` returns as soon as it is true, asked again after each change of the store.

    Raises:
        AssertionError: it was not true within `seconds`.
    """
    changed = threading.Event()
    unsubscribe = store.subscribe(lambda *_: changed.set())
    deadline = time.monotonic() + seconds
    try:
        while not (found := find()):
            left = deadline - time.monotonic()
            assert left > 0, f"not within {seconds} s; the last events: {_last_events(store)}"
            changed.wait(min(left, 0.2))
            changed.clear()
        return found
    finally:
        unsubscribe()


def _last_events(store: Store) -> list[str]:
    events = sorted(store.list("Event"), key=lambda event: int(event["metadata"]["resourceVersion"]))
    return [f"{event['involvedObject']['name']}: {event['reason']}: {event['message']}" for event in events[-12:]]
