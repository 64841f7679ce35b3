"""Where the endpoints of a machine listen: on loopback at any port, unless whoever set the machine up says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from slipway.core.errors import ConfigurationError


@dataclass(frozen=True)
class Listening:
    """What a new endpoint's socket is bound to.

    Attributes:
        address: of this machine; in a container 0.0.0.0, as nothing outside reaches the loopback there.
        ports: one of these where the model file leaves the choice (`port: 0`); empty: any.
    """

    address: str = "127.0.0.1"
    ports: range = range(0)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Listening:
        """What SLIPWAY_SERVING_ADDRESS and SLIPWAY_SERVING_PORTS (`5000-5009`) say.

        Raises:
            ConfigurationError: the ports are no range.
        """
        address = environment.get("SLIPWAY_SERVING_ADDRESS") or cls.address
        return cls(address, _ports(environment.get("SLIPWAY_SERVING_PORTS", "")))

    def candidates(self, wanted: int) -> list[int]:
        """The ports to try, in this order. `wanted`: the only one that will do; 0: the choice is ours."""
        return [wanted] if wanted else list(self.ports) or [0]


ANY_PORT_ON_LOOPBACK = Listening()


def _ports(text: str) -> range:
    if not text:
        return range(0)
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and 0 < int(first) <= int(last) < 65536):
        raise ConfigurationError(
            "could not tell where models are served",
            on="SLIPWAY_SERVING_PORTS",
            why=f"found {text!r}, allowed: first-last, ports of 1 to 65535",
            fix="Say for example 5000-5009, or leave it out.",
        )
    return range(int(first), int(last) + 1)
