"""Networks in a model file, and who a set of them lets in: some sources, or in effect everyone."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_interface, ip_network
from typing import Annotated

from pydantic import AfterValidator

# Not routed on the Internet: however many addresses they hold, no stranger comes from one of them.
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
# The largest block that one organisation was ever given is an IPv4 /8; in IPv6 the registries themselves get a /12.
_MOST = {4: 2 ** (32 - 8), 6: 2 ** (128 - 16)}


def _network(cidr: str) -> str:
    try:
        return str(ip_network(cidr))
    except ValueError as error:
        raise ValueError(f"a network in CIDR notation{_meant(cidr)}") from error


def _meant(cidr: str) -> str:
    """What may have been meant by an address inside of a network; nothing if it is none."""
    try:
        found = ip_interface(cidr)
    except ValueError:
        return ", such as 203.0.113.0/24"
    alone = f"{found.ip}/{found.max_prefixlen}"
    return f": {found.network} for the whole network, or {alone} for this address alone"


Cidr = Annotated[str, AfterValidator(_network)]


def refuse_everyone(cidrs: Iterable[str], hint: str = "") -> None:
    """Raises ValueError: these networks let everyone in. `hint` may say how the file would mean that on purpose."""
    if lets_everyone_in(cidrs):
        raise ValueError(f"the networks of those who need it{hint and f'; {hint}'}")


def lets_everyone_in(cidrs: Iterable[str]) -> bool:
    """Whether these networks hold more public addresses, taken together, than any one organisation has.

    True for ``0.0.0.0/0`` and ``::/0``, and for the same cut in pieces, such as ``0.0.0.0/1`` with ``128.0.0.0/1``.
    """
    public = [network for network in map(ip_network, cidrs) if not _is_private(network)]
    return any(_addresses(public, version) > most for version, most in _MOST.items())


def _is_private(network: IPv4Network | IPv6Network) -> bool:
    return any(network.version == block.version and network.subnet_of(block) for block in _PRIVATE)  # type: ignore[arg-type]


def _addresses(networks: list[IPv4Network | IPv6Network], version: int) -> int:
    """How many addresses the networks of one IP version hold, an address that is in two of them once."""
    same = [network for network in networks if network.version == version]
    merged: Iterable[IPv4Network | IPv6Network] = collapse_addresses(same)  # type: ignore[type-var]
    return sum(network.num_addresses for network in merged)
