"""Ingress rules as values, and what to change to get from one set to another. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from slipway.core.model_file import AwsSecurityGroup

WORLD = {"0.0.0.0/0", "::/0"}


class Rule(NamedTuple):
    """TCP from one network to one port."""

    port: int
    cidr: str

    def __str__(self) -> str:
        return f"{self.port} from {self.cidr}"


@dataclass(frozen=True)
class Group:
    """A security group as EC2 has it; `foreign` counts rules that are not of our kind and are left alone."""

    group_id: str
    rules: frozenset[Rule]
    foreign: int


def desired_rules(section: AwsSecurityGroup) -> frozenset[Rule]:
    """What the model file declares."""
    return frozenset(Rule(rule.port, cidr) for rule in section.allow for cidr in rule.cidrs)


def diff_rules(desired: Iterable[Rule], current: Iterable[Rule]) -> tuple[list[Rule], list[Rule]]:
    """The rules to open and the rules to close, sorted."""
    wanted, present = set(desired), set(current)
    return sorted(wanted - present), sorted(present - wanted)


def group_from(answer: dict[str, Any]) -> Group:
    """A group from an item of EC2's DescribeSecurityGroups."""
    rules: set[Rule] = set()
    foreign = 0
    for permission in answer.get("IpPermissions", ()):
        if permission.get("IpProtocol") != "tcp" or permission["FromPort"] != permission["ToPort"]:
            foreign += 1
            continue
        cidrs = [item["CidrIp"] for item in permission.get("IpRanges", ())]
        cidrs += [item["CidrIpv6"] for item in permission.get("Ipv6Ranges", ())]
        rules |= {Rule(permission["FromPort"], cidr) for cidr in cidrs}
    return Group(answer["GroupId"], frozenset(rules), foreign)


def permission_of(rule: Rule) -> dict[str, Any]:
    """The rule as EC2's IpPermission."""
    field, key = ("Ipv6Ranges", "CidrIpv6") if ":" in rule.cidr else ("IpRanges", "CidrIp")
    return {
        "IpProtocol": "tcp",
        "FromPort": rule.port,
        "ToPort": rule.port,
        field: [{key: rule.cidr, "Description": "managed by Slipway"}],
    }
