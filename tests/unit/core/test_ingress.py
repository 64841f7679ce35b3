from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from slipway.core.ingress import Cidr, lets_everyone_in


@pytest.mark.parametrize(
    "cidrs",
    [
        ["0.0.0.0/0"],
        ["::/0"],
        ["0.0.0.0/1", "128.0.0.0/1"],
        ["::/1", "8000::/1"],
        ["203.0.113.0/24", "0.0.0.0/0"],
        ["64.0.0.0/2"],
        ["2000::/3"],  # all of IPv6 that is in use
        [f"{first}.0.0.0/8" for first in range(1, 224)],
    ],
    ids=["IPv4", "IPv6", "halves", "IPv6 halves", "among others", "a quarter", "IPv6 in use", "223 pieces"],
)
def test_the_world_is_seen_however_it_is_cut(cidrs: list[str]) -> None:
    assert lets_everyone_in(cidrs)


@pytest.mark.parametrize(
    "cidrs",
    [
        [],
        ["203.0.113.7/32", "2001:db8::/32"],
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"],
        ["17.0.0.0/8"],  # one company's
        ["17.0.0.0/8", "17.5.0.0/16", "17.0.0.0/9"],
        ["198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24"],
    ],
    ids=["nobody", "an office", "private networks", "the largest owner", "the same twice", "offices"],
)
def test_some_sources_are_not_the_world(cidrs: list[str]) -> None:
    assert not lets_everyone_in(cidrs)


@pytest.mark.parametrize(
    ("cidr", "said"),
    [
        (
            "203.0.113.7/24",
            "CIDR notation: 203.0.113.0/24 for the whole network, or 203.0.113.7/32 for this address alone",
        ),
        (
            "2001:db8::7/32",
            "CIDR notation: 2001:db8::/32 for the whole network, or 2001:db8::7/128 for this address alone",
        ),
        ("office", "CIDR notation, such as 203.0.113.0/24"),
        ("203.0.113.0/33", "CIDR notation, such as 203.0.113.0/24"),
    ],
)
def test_what_is_no_network_is_said_with_what_may_be_meant(cidr: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(Cidr).validate_python(cidr)
