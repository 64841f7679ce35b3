"""A Docker network for one cluster: addresses for its pods and its Services, and nothing left of it afterwards."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import os
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import psutil

from tests.parts import miss, require_program

LABEL = "slipway.test.cluster"
_numbers = itertools.count(1)


class Bridge:
    """The network; pods get addresses from its lower end, Services from its upper end.

    Its label names the process that made it, so that a later one finds what a killed one left.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.label = f"{os.getpid()}-{int(psutil.Process().create_time())}-{next(_numbers)}"
        self._network = _create(client, self.label)
        self._subnet = subnet = ipaddress.ip_network(self._network.attrs["IPAM"]["Config"][0]["Subnet"])
        self.name: str = self._network.name
        self.gateway = str(subnet[1])
        self.device = f"br-{self._network.id[:12]}"
        self._lock = threading.Lock()
        self._low = (str(subnet[number]) for number in itertools.count(10))
        self._high = (str(subnet[-number]) for number in itertools.count(2))

    def pod_address(self) -> str:
        with self._lock:
            return next(self._low)

    def service_address(self) -> str:
        """A new one; nobody answers at it before `add_address`."""
        with self._lock:
            return next(self._high)

    def holds(self, address: str) -> bool:
        """Whether an address is one of the network's."""
        return bool(address) and ipaddress.ip_address(address) in self._subnet

    def add_address(self, address: str) -> None:
        """Let the pods reach this machine at an address."""
        self._ip("add", address)

    def remove_address(self, address: str) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._ip("del", address)

    def remove(self) -> None:
        """The network and every container in it."""
        _remove(self._client, self.label)

    def _ip(self, what: str, address: str) -> None:
        command = ["ip", "address", what, f"{address}/32", "dev", self.device]
        subprocess.run(command, check=True, capture_output=True, timeout=20)


@contextlib.contextmanager
def bridge(client: Any) -> Iterator[Bridge]:
    """A network of its own; what killed processes left of theirs is removed first.

    Without root or iproute2 the test is skipped, or fails in the gate.
    """
    require_program("ip")
    if os.geteuid() != 0:
        miss("needs root, to give addresses to Services")
    remove_leftovers(client)
    made = Bridge(client)
    try:
        yield made
    finally:
        made.remove()


def remove_leftovers(client: Any) -> None:
    """Networks and containers whose process has ended without removing them."""
    wanted = {"label": LABEL}
    containers = client.containers.list(all=True, filters=wanted, ignore_removed=True)
    labels = {container.labels[LABEL] for container in containers}
    labels |= {network.attrs["Labels"][LABEL] for network in client.networks.list(filters=wanted)}
    for label in labels:
        pid, started, _ = map(int, label.split("-"))
        if not _runs(pid, started):
            _remove(client, label)


def _runs(pid: int, started: int) -> bool:
    """Whether it is still that process: ids are given again. Two processes may see its start a second apart."""
    try:
        return abs(psutil.Process(pid).create_time() - started) < 3
    except psutil.NoSuchProcess:
        return False


def _create(client: Any, label: str) -> Any:
    """The engine chooses a range that is free; only a network that is given one lets its containers' addresses be chosen."""
    import docker

    name = f"slipway-test-cluster-{label}"
    for _ in range(5):
        probe = client.networks.create(name, driver="bridge", labels={LABEL: label})
        probe.reload()
        range_ = probe.attrs["IPAM"]["Config"][0]
        probe.remove()
        pool = docker.types.IPAMPool(subnet=range_["Subnet"], gateway=range_["Gateway"])
        with contextlib.suppress(docker.errors.APIError):  # somebody else was given the range meanwhile
            made = client.networks.create(
                name, driver="bridge", labels={LABEL: label}, ipam=docker.types.IPAMConfig(pool_configs=[pool])
            )
            made.reload()
            return made
    raise AssertionError("the engine has no range of addresses for a network")


def _remove(client: Any, label: str) -> None:
    import docker

    wanted = {"label": f"{LABEL}={label}"}
    for container in client.containers.list(all=True, filters=wanted, ignore_removed=True):
        with contextlib.suppress(docker.errors.APIError):
            container.remove(force=True, v=True)
    for network in client.networks.list(filters=wanted):
        with contextlib.suppress(docker.errors.NotFound):
            network.remove()
