"""The network of a model's containers, where each has an address of its own for as long as it exists.

nginx looks an address up once, and a container that crashed would come back with another one if the engine chose it. The
engine keeps an address that was asked for only in a network whose subnet was asked for, too; so it is let pick a free subnet
first, which is then asked for. Addresses that the engine hands out by itself are taken from the other half.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Any

from slipway.core.errors import SlipwayError, UnavailableError
from slipway.rollout.docker.engine import DockerEngine

_TRIES = 5


class ModelNetwork:
    """`slipway-<model>` on one engine."""

    def __init__(self, engine: DockerEngine, model: str) -> None:
        self._engine, self.name = engine, f"slipway-{model}"
        self._probe = f"slipway-{model}.probe"  # no model's name has a dot

    def ensure(self) -> None:
        """Make it unless it is there.

        Raises:
            ConflictError: a stranger's network has the name.
            UnavailableError: the engine found no free subnet.
        """
        if self._engine.find_network(self.name):
            return
        for left in reversed(range(_TRIES)):
            subnet = self._free_subnet()
            try:
                self._engine.create_network(self.name, address_pool(subnet))
            except SlipwayError:
                # Somebody else may have taken the subnet meanwhile.
                if left == 0:
                    raise
            else:
                return

    def remove(self) -> bool:
        """Remove it; returns whether there was one."""
        self._engine.remove_network(self._probe)
        return self._engine.remove_network(self.name)

    def find_id(self) -> str | None:
        """The engine's id of it: another one after it was made anew."""
        found = self._engine.find_network(self.name)
        return found["Id"] if found else None

    def proxy_address(self) -> str:
        """The proxy's address."""
        return str(self._subnet()[2])

    def free_address(self, used: Iterable[str]) -> str:
        """An address for one more server. Raises UnavailableError: there is none left."""
        subnet, taken = self._subnet(), set(used)
        for number in range(3, subnet.num_addresses // 2):
            if str(subnet[number]) not in taken:
                return str(subnet[number])
        raise UnavailableError(
            "could not start a server",
            on=f"network {self.name}",
            why=f"all addresses of {subnet} are in use",
            fix="Lower deploy.docker.keep, or give the engine larger default-address-pools.",
        )

    def _subnet(self) -> IPv4Network:
        found = self._engine.find_network(self.name)
        subnet = _subnet(found) if found else None
        if subnet is None:
            raise UnavailableError(
                "could not use the network", on=self.name, why="it was removed meanwhile", fix="Clear this task."
            )
        return subnet

    def _free_subnet(self) -> IPv4Network:
        """Let the engine choose one that neither its networks nor the host's routes use."""
        self._engine.remove_network(self._probe)  # of an attempt that was killed
        self._engine.create_network(self._probe)
        found = self._engine.find_network(self._probe)
        subnet = _subnet(found) if found else None
        self._engine.remove_network(self._probe)
        if subnet is None:
            raise UnavailableError(
                "could not make the network",
                on=self.name,
                why="the engine gave it no IPv4 subnet",
                fix="Set default-address-pools in the engine's daemon.json.",
            )
        return subnet


def address_pool(subnet: IPv4Network) -> dict[str, str]:
    """The subnet's lower half is ours to hand out, the upper half the engine's."""
    upper = list(subnet.subnets(prefixlen_diff=1))[1]
    return {"Subnet": str(subnet), "Gateway": str(subnet[1]), "IPRange": str(upper)}


def fixed_address(container: dict[str, Any], network: str) -> str:
    """The address that a container was made for, or an empty text."""
    endpoint = container["NetworkSettings"]["Networks"].get(network) or {}
    return str((endpoint.get("IPAMConfig") or {}).get("IPv4Address", ""))


def _subnet(network: dict[str, Any]) -> IPv4Network | None:
    pools = (network.get("IPAM") or {}).get("Config") or []
    found = [pool["Subnet"] for pool in pools if "." in pool.get("Subnet", "")]
    return IPv4Network(found[0]) if found else None
