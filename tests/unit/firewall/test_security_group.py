from __future__ import annotations

import pytest

from slipway.core.firewall_section import AwsSecurityGroup
from slipway.firewall.security_group import Group, Rule, desired_rules, diff_rules, group_from, permission_of

OFFICE, LAB = Rule(443, "203.0.113.0/24"), Rule(443, "2001:db8::/32")


@pytest.mark.parametrize(
    ("desired", "current", "opened", "closed"),
    [
        ([OFFICE, LAB], [], [LAB, OFFICE], []),
        ([], [OFFICE], [], [OFFICE]),
        ([OFFICE], [OFFICE], [], []),
        (
            [OFFICE, Rule(80, "10.0.0.0/8")],
            [OFFICE, Rule(22, "10.0.0.0/8")],
            [Rule(80, "10.0.0.0/8")],
            [Rule(22, "10.0.0.0/8")],
        ),
    ],
    ids=["all new", "none wanted", "in sync", "one each way"],
)
def test_the_difference_is_what_to_open_and_what_to_close(
    desired: list[Rule], current: list[Rule], opened: list[Rule], closed: list[Rule]
) -> None:
    assert diff_rules(desired, Group("sg-1", frozenset(current))) == (opened, closed)


def test_a_rule_made_by_hand_is_neither_opened_again_nor_closed() -> None:
    group = Group("sg-1", rules=frozenset([OFFICE]), by_hand=frozenset([LAB, Rule(22, "10.0.0.0/8")]))
    assert diff_rules([LAB], group) == ([], [OFFICE])


def test_a_rule_of_the_file_is_one_per_source() -> None:
    section = AwsSecurityGroup.model_validate(
        {
            "name": "iris",
            "allow": [
                {"port": 443, "cidrs": ["203.0.113.0/24", "2001:DB8:0::/32"]},
                {"port": 80, "cidrs": ["10.0.0.0/8"]},
            ],
        }
    )
    assert desired_rules(section) == {OFFICE, LAB, Rule(80, "10.0.0.0/8")}


def test_what_is_sent_to_ec2_reads_back_as_the_same_rules() -> None:
    answer = {"GroupId": "sg-1", "IpPermissions": [permission_of(OFFICE), permission_of(LAB)]}
    assert group_from(answer).rules == {OFFICE, LAB}


def test_only_a_rule_with_our_mark_is_ours() -> None:
    ours, other = permission_of(OFFICE), permission_of(LAB)
    other["Ipv6Ranges"][0]["Description"] = "the lab, by hand"
    group = group_from({"GroupId": "sg-1", "IpPermissions": [ours, other]})
    assert (group.rules, group.by_hand) == ({OFFICE}, {LAB})


def test_rules_of_another_kind_are_counted_and_not_mistaken_for_ours() -> None:
    answer = {
        "GroupId": "sg-1",
        "IpPermissions": [
            permission_of(OFFICE),
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1024, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        ],
    }
    group = group_from(answer)
    assert (group.rules, group.foreign) == (frozenset({OFFICE}), 3)


def test_a_rule_reads_as_a_person_says_it() -> None:
    assert str(OFFICE) == "443 from 203.0.113.0/24"
