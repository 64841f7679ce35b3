"""Clusters that run: the API with controllers and a kubelet, scripted or on a Docker engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tests.cluster import Cluster, start_cluster
from tests.cluster.bridge import Bridge, bridge
from tests.cluster.cluster import Part
from tests.cluster.controllers import Controllers
from tests.cluster.docker_kubelet import DockerKubelet
from tests.cluster.logs import Kubelet
from tests.cluster.network import ServiceNetwork
from tests.cluster.pod_preparation import Backoff
from tests.cluster.replica_sets import Admit, admit_all
from tests.cluster.scheduler import Node
from tests.cluster.store import Store

T = TypeVar("T")


class RunningKubelet(Part, Kubelet, Protocol):
    """What runs the pods, and knows what they write and where their ports are."""


def with_controllers(
    cluster: Cluster,
    kubelet: RunningKubelet,
    *more: Part,
    nodes: Sequence[Node] = (Node(),),
    admit: Admit = admit_all,
) -> Controllers:
    """Let a cluster move: start controllers, scheduler, kubelet and `more` parts; they end with it."""
    controllers = Controllers(cluster.store, nodes=nodes, admit=admit)
    cluster.kubelet = kubelet
    cluster.run(kubelet, *more, controllers)
    return controllers


@dataclass(frozen=True)
class DockerCluster:
    """A cluster whose pods are containers, with its parts."""

    cluster: Cluster
    kubelet: DockerKubelet
    network: ServiceNetwork
    bridge: Bridge

    @property
    def store(self) -> Store:
        return self.cluster.store


@contextmanager
def docker_cluster(
    client: Any,
    *,
    nodes: Sequence[Node] = (Node(),),
    backoff: Backoff | None = None,
    endpoint_delay_seconds: float = 1,
    **options: Any,
) -> Iterator[DockerCluster]:
    """A cluster whose pods are containers of the engine of `client`, on a network of their own.

    Without root or iproute2 the test is skipped, or fails in the gate. Nothing is left on the engine afterwards.

    Args:
        endpoint_delay_seconds: after which a Service's new connections follow its EndpointSlice.
        options: of `start_cluster`.
    """
    with bridge(client) as made, start_cluster(allocate_address=lambda _: made.service_address(), **options) as cluster:
        kubelet = DockerKubelet(client, cluster.store, made, backoff=backoff)
        network = ServiceNetwork(cluster.store, made, delay_seconds=endpoint_delay_seconds)
        with_controllers(cluster, kubelet, network, nodes=nodes)
        yield DockerCluster(cluster, kubelet, network, made)


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
