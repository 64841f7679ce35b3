"""Where the connections to each Service go: the endpoints as they were a while ago, as every node's rules lag behind."""

from __future__ import annotations

import random
import time

from tests.cluster.endpoints import SERVICE_LABEL
from tests.cluster.store import Object
from tests.cluster.tcp_proxy import Address

ServiceKey = tuple[str, str]
Ports = dict[str, list[Address]]


def ready_addresses(endpoint_slice: Object) -> Ports:
    """By name of the Service's port: ready pods, and only where there are none those that end and still serve."""
    endpoints = endpoint_slice["endpoints"] or []
    chosen = [each for each in endpoints if each["conditions"]["ready"]]
    chosen = chosen or [
        each for each in endpoints if each["conditions"]["serving"] and each["conditions"]["terminating"]
    ]
    addresses = [each["addresses"][0] for each in chosen]
    ports = endpoint_slice["ports"] or []
    return {port["name"]: [(address, port["port"]) for address in addresses] for port in ports if port["port"]}


class ServiceTable:
    """`update` tells it how the endpoints are; `choose` answers as they were `delay_seconds` before."""

    def __init__(self, delay_seconds: float, seed: int = 0) -> None:
        self._delay_seconds = delay_seconds
        self._random = random.Random(seed)
        self._now: dict[ServiceKey, Ports] = {}
        self._told: dict[ServiceKey, Ports] = {}
        self._coming: list[tuple[float, ServiceKey, Ports]] = []

    def update(self, slices: list[Object]) -> None:
        told = {_service_of(each): ready_addresses(each) for each in slices}
        due = time.monotonic() + self._delay_seconds
        for key in told.keys() | self._told.keys():
            ports = told.get(key, {})
            if self._told.get(key) != ports:
                self._coming.append((due, key, ports))
        self._told = told

    def settle(self) -> float | None:
        """Take over what is due; returns the seconds until there is more, or None."""
        while self._coming and self._coming[0][0] <= time.monotonic():
            _, key, ports = self._coming.pop(0)
            self._now[key] = ports
        return max(0.0, self._coming[0][0] - time.monotonic()) if self._coming else None

    def choose(self, key: ServiceKey, port: str) -> Address | None:
        """One of a Service's endpoints, at random; None where it has none."""
        found = self._now.get(key, {}).get(port)
        return self._random.choice(found) if found else None

    def weighted(self, keys: list[ServiceKey], weights: list[int]) -> ServiceKey | None:
        """One of several Services by their weights; None where all are 0."""
        return self._random.choices(keys, weights)[0] if sum(weights) else None


def _service_of(endpoint_slice: Object) -> ServiceKey:
    meta = endpoint_slice["metadata"]
    return meta["namespace"], meta["labels"][SERVICE_LABEL]
