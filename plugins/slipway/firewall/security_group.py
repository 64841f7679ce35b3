"""Ingress rules as values, and what to change to get from one set to another. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from slipway.core.firewall_section import AwsSecurityGroup

MARK = "managed by Slipway"  # the description of every rule that is ours


class Rule(NamedTuple):
    """TCP from one network to one port."""

    port: int
    cidr: str

    def __str__(self) -> str:
        return f"{self.port} from {self.cidr}"


@dataclass(frozen=True)
class Group:
    """A security group as EC2 has it.

    `rules` are those that carry our mark. The rest is left alone: `by_hand` are rules of our kind that somebody else made,
    `foreign` counts those of another kind (a range of ports, UDP, another group as the source).
    """

    group_id: str
    rules: frozenset[Rule]
    by_hand: frozenset[Rule] = frozenset()
    foreign: int = 0


def desired_rules(section: AwsSecurityGroup) -> frozenset[Rule]:
    """What the model file declares."""
    return frozenset(Rule(rule.port, cidr) for rule in section.allow for cidr in rule.cidrs)


def diff_rules(desired: Iterable[Rule], group: Group) -> tuple[list[Rule], list[Rule]]:
    """The rules to open and those of ours to close, sorted. One that is open by hand already need not be opened."""
    wanted = set(desired)
    return sorted(wanted - group.rules - group.by_hand), sorted(group.rules - wanted)


def group_from(answer: dict[str, Any]) -> Group:
    """A group from an item of EC2's DescribeSecurityGroups."""
    ours: set[Rule] = set()
    by_hand: set[Rule] = set()
    foreign = 0
    for permission in answer.get("IpPermissions", ()):
        if permission.get("IpProtocol") != "tcp" or permission["FromPort"] != permission["ToPort"]:
            foreign += 1
            continue
        foreign += len(permission.get("UserIdGroupPairs", ())) + len(permission.get("PrefixListIds", ()))
        for source in [*permission.get("IpRanges", ()), *permission.get("Ipv6Ranges", ())]:
            rule = Rule(permission["FromPort"], source.get("CidrIp") or source["CidrIpv6"])
            (ours if source.get("Description") == MARK else by_hand).add(rule)
    return Group(answer["GroupId"], frozenset(ours), frozenset(by_hand), foreign)


def permission_of(rule: Rule) -> dict[str, Any]:
    """The rule as EC2's IpPermission."""
    field, key = ("Ipv6Ranges", "CidrIpv6") if ":" in rule.cidr else ("IpRanges", "CidrIp")
    return {
        "IpProtocol": "tcp",
        "FromPort": rule.port,
        "ToPort": rule.port,
        field: [{key: rule.cidr, "Description": MARK}],
    }
