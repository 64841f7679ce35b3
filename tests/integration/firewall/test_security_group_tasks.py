"""Syncing and undoing a security group against EC2's API (moto on a socket); asserts on the groups that are there after."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from slipway.core.errors import ConfigurationError, ConflictError, DeniedError, UnavailableError
from slipway.core.firewall_section import AwsSecurityGroup
from slipway.firewall.hook import Ec2FirewallHook
from slipway.firewall.operators import RestoreSecurityGroupOperator, SyncSecurityGroupOperator
from tests.integration.storage import emulators

OFFICE, LAB = "203.0.113.0/24", "2001:db8::/32"


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with emulators.aws() as url:
        yield url


@pytest.fixture
def ec2(aws: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    emulators.reset_aws(aws)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", emulators.aws_connection(aws))
    return emulators.aws_client(aws, "ec2")


class Run:
    """One run's two tasks on one group."""

    def __init__(self, store: Path, run_id: str, allow: list[dict[str, Any]], **section: Any) -> None:
        rule_set = AwsSecurityGroup.model_validate({"name": "iris-serving", "allow": allow, **section})
        self._arguments = {"model": "iris", "store": str(store), "rule_set": rule_set, "run_id": run_id}

    def sync(self) -> dict[str, Any]:
        return SyncSecurityGroupOperator(task_id="sync", **self._arguments).execute({})

    def restore(self) -> dict[str, Any]:
        return RestoreSecurityGroupOperator(task_id="restore", **self._arguments).execute({})


def rule(port: int, *cidrs: str) -> dict[str, Any]:
    return {"port": port, "cidrs": list(cidrs)}


def groups(ec2: Any) -> list[dict[str, Any]]:
    found = ec2.describe_security_groups()["SecurityGroups"]
    return [group for group in found if group["GroupName"] != "default"]


def open_ports(ec2: Any) -> set[tuple[int, str]]:
    return {
        (permission["FromPort"], source.get("CidrIp") or source["CidrIpv6"])
        for permission in groups(ec2)[0]["IpPermissions"]
        for source in [*permission["IpRanges"], *permission.get("Ipv6Ranges", ())]
    }


def test_the_first_run_makes_the_group_tagged_with_its_rules(ec2: Any, tmp_path: Path) -> None:
    found = Run(tmp_path, "r1", [rule(443, OFFICE, LAB)]).sync()
    group = groups(ec2)[0]
    assert (group["GroupName"], group["Description"]) == (
        "iris-serving",
        "Ingress of the model iris, managed by Slipway",
    )
    assert {"Key": "slipway:model", "Value": "iris"} in group["Tags"]
    assert open_ports(ec2) == {(443, OFFICE), (443, LAB)}
    assert json.loads(json.dumps(found)) == found
    assert (found["group_id"], found["name"], found["changed"]) == (group["GroupId"], "iris-serving", True)
    assert found["opened"] == [f"443 from {LAB}", f"443 from {OFFICE}"]
    assert found["summary"] == f"opened 443 from {LAB}, 443 from {OFFICE}"


def test_the_second_run_finds_it_in_sync(ec2: Any, tmp_path: Path) -> None:
    Run(tmp_path, "r1", [rule(443, OFFICE)]).sync()
    found = Run(tmp_path, "r1", [rule(443, OFFICE)]).sync()
    assert (found["changed"], found["opened"], found["closed"]) == (False, [], [])
    assert found["summary"] == f"already in sync: 443 from {OFFICE}"


def test_what_is_no_longer_declared_is_closed(ec2: Any, tmp_path: Path) -> None:
    Run(tmp_path, "r1", [rule(443, OFFICE, LAB), rule(22, OFFICE)]).sync()
    found = Run(tmp_path, "r1", [rule(443, OFFICE)]).sync()
    assert open_ports(ec2) == {(443, OFFICE)}
    assert found["closed"] == [f"22 from {OFFICE}", f"443 from {LAB}"]


def test_a_rule_made_by_hand_in_our_group_is_named_and_left_alone(
    ec2: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path, "r1", [rule(443, OFFICE)])
    group_id = run.sync()["group_id"]
    by_hand = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "198.51.100.7/32"}]}
    ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[by_hand])
    with caplog.at_level(logging.WARNING):
        found = run.sync()
    assert (found["changed"], open_ports(ec2)) == (False, {(443, OFFICE), (22, "198.51.100.7/32")})
    assert "not made by Slipway and left as it is: 22 from 198.51.100.7/32" in caplog.text + capsys.readouterr().out


def test_a_source_that_is_open_by_hand_already_need_not_be_opened(ec2: Any, tmp_path: Path) -> None:
    run = Run(tmp_path, "r1", [rule(443, OFFICE)])
    by_hand = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": OFFICE}]}
    ec2.authorize_security_group_ingress(GroupId=run.sync()["group_id"], IpPermissions=[by_hand])
    assert Run(tmp_path, "r1", [rule(443, OFFICE), rule(80, OFFICE)]).sync()["opened"] == []


@pytest.mark.parametrize(
    ("tags", "whose"),
    [
        ([], "it has no tag slipway:model, so Slipway did not make it"),
        ([{"Key": "slipway:model", "Value": "wine"}], "it belongs to the model 'wine'"),
    ],
    ids=["nobody's", "another model's"],
)
def test_a_group_that_is_not_ours_is_left_alone(
    ec2: Any, tmp_path: Path, tags: list[dict[str, str]], whose: str
) -> None:
    specification = [{"ResourceType": "security-group", "Tags": tags}] if tags else []
    made = ec2.create_security_group(GroupName="iris-serving", Description="by hand", TagSpecifications=specification)
    with pytest.raises(ConfigurationError) as caught:
        Run(tmp_path, "r1", [rule(443, OFFICE)]).sync()
    assert str(caught.value) == (
        f"could not use the security group: iris-serving ({made['GroupId']}): {whose}; it was left alone. "
        "Choose another name in the model file, or tag the group slipway:model=iris to hand it over."
    )
    assert open_ports(ec2) == set()


def test_opening_to_the_world_is_done_with_a_warning(
    ec2: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        Run(tmp_path, "r1", [rule(443, "0.0.0.0/0", "::/0") | {"public": True}]).sync()
    assert open_ports(ec2) == {(443, "0.0.0.0/0"), (443, "::/0")}
    text = "opening to the whole world, as the model file says: 443 from 0.0.0.0/0, 443 from ::/0"
    assert text in caplog.text + capsys.readouterr().out


def test_the_world_is_refused_without_the_word_public(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="`public: true` beside `cidrs` would open it to the world"):
        Run(tmp_path, "r1", [rule(443, "0.0.0.0/0")])


def test_undo_removes_the_group_that_this_run_made(ec2: Any, tmp_path: Path) -> None:
    run = Run(tmp_path, "r1", [rule(443, OFFICE)])
    run.sync()
    found = run.restore()
    assert (groups(ec2), found["changed"]) == ([], True)
    assert found["summary"] == "deleted the group iris-serving, which this run had made"


def give_turn_back(store: Path, run_id: str) -> None:
    from slipway.release.ledger import Ledger

    Ledger.open(str(store), "iris").turn(run_id).give_back()


def test_undo_returns_to_the_rules_before_the_run_even_after_a_retry(ec2: Any, tmp_path: Path) -> None:
    Run(tmp_path, "r1", [rule(443, OFFICE), rule(22, OFFICE)]).sync()
    give_turn_back(tmp_path, "r1")
    second = Run(tmp_path, "r2", [rule(443, OFFICE, LAB)])
    second.sync()
    second.sync()  # a retry sees its own work and must not take that for what was there before
    found = second.restore()
    assert open_ports(ec2) == {(443, OFFICE), (22, OFFICE)}
    assert (found["changed"], found["summary"]) == (True, "rules of iris-serving as before this run")
    assert second.restore()["changed"] is False


def test_nothing_recorded_is_nothing_to_undo(ec2: Any, tmp_path: Path) -> None:
    found = Run(tmp_path, "r1", [rule(443, OFFICE)]).restore()
    assert found == {"changed": False, "summary": "nothing to undo: the security group was not touched"}


def test_while_another_run_has_the_turn_nothing_is_changed(ec2: Any, tmp_path: Path) -> None:
    Run(tmp_path, "r1", [rule(443, OFFICE)]).sync()
    with pytest.raises(ConflictError, match="it is the turn of run r1"):
        Run(tmp_path, "r2", [rule(80, OFFICE)]).sync()
    assert open_ports(ec2) == {(443, OFFICE)}


def test_wrong_keys_are_denied(ec2: Any, aws: str, tmp_path: Path) -> None:
    emulators.demand_known_keys(aws)
    try:
        with pytest.raises(DeniedError, match=r"could not find the security group: iris-serving: .*AuthFailure"):
            Run(tmp_path, "r1", [rule(443, OFFICE)]).sync()
    finally:
        emulators.allow_any_keys(aws)


def test_a_dead_endpoint_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"config_kwargs": {"retries": {"total_max_attempts": 1}}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", emulators.aws_connection("http://127.0.0.1:9", **settings))
    with pytest.raises(UnavailableError, match="Could not connect to the endpoint URL"):
        Run(tmp_path, "r1", [rule(443, OFFICE)]).sync()


def hook_of(name: str = "iris-serving") -> Ec2FirewallHook:
    return Ec2FirewallHook(AwsSecurityGroup.model_validate({"name": name}), "iris")


def test_the_hook_connects_on_first_use_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT", raising=False)
    assert "client" not in vars(hook_of())
