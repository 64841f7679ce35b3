"""Security groups as tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from slipway.core.ingress import lets_everyone_in
from slipway.firewall.security_group import Group, Rule, desired_rules, diff_rules
from slipway.release.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow.sdk import Context

    from slipway.core.firewall_section import AwsSecurityGroup
    from slipway.firewall.hook import Ec2FirewallHook


class _SecurityGroupOperator(BaseOperator):
    """What the two tasks share: which group, which run."""

    template_fields: Sequence[str] = ("run_id",)
    ui_color = "#f7e9e3"

    def __init__(
        self,
        *,
        model: str,
        store: str,
        store_conn_id: str | None = None,
        rule_set: AwsSecurityGroup,
        run_id: str = "{{ run_id }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.store, self.store_conn_id = model, store, store_conn_id
        self.rule_set, self.run_id = rule_set, run_id

    @property
    def step(self) -> str:
        """The journal's name for what this task changes."""
        return f"firewall/{self.rule_set.name}"

    def ledger(self) -> Ledger:
        """The model's ledger."""
        return Ledger.open(self.store, self.model, self.store_conn_id)

    def hook(self) -> Ec2FirewallHook:
        """The group's hook."""
        from slipway.firewall.hook import Ec2FirewallHook

        return Ec2FirewallHook(self.rule_set, self.model)


class SyncSecurityGroupOperator(_SecurityGroupOperator):
    """Make the ingress rules of an EC2 security group equal to what the model file declares.

    Opens what is missing, closes what is no longer declared, leaves alone what is in sync. Only a group that carries our
    tag is touched, and in it only rules that carry our mark: one that was made by hand stays, and is named in a warning.
    What was found is written down first, so that undo can return to it. Opening a port to the world is done where the
    model file says `public: true`, with a warning.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"target", "group_id", "name", "rules", "opened", "closed", "changed", "summary"}``."""
        ledger, hook = self.ledger(), self.hook()
        ledger.turn(self.run_id).require()
        group, wanted = hook.find_group(), desired_rules(self.rule_set)
        ledger.journal(self.run_id).record_once(self.step, {"rules": sorted(group.rules) if group else None})
        created, group = group is None, group or hook.create_group()
        opened, closed = diff_rules(wanted, group)
        self._warn(group, opened)
        hook.authorize(group, opened)
        hook.revoke(group, closed)
        result = self._result(group, wanted, opened, closed, changed=created or bool(opened or closed))
        self.log.info(result["summary"])
        return result

    def _warn(self, group: Group, opened: list[Rule]) -> None:
        if world := [rule for rule in opened if lets_everyone_in([rule.cidr])]:
            self.log.warning("opening to the whole world, as the model file says: %s", _listed(world))
        if group.by_hand:
            self.log.warning("not made by Slipway and left as it is: %s", _listed(sorted(group.by_hand)))

    def _result(
        self, group: Group, wanted: Iterable[Rule], opened: list[Rule], closed: list[Rule], *, changed: bool
    ) -> dict[str, Any]:
        rules = [str(rule) for rule in sorted(wanted)]
        done = "; ".join(
            f"{verb} {_listed(rules)}" for verb, rules in (("opened", opened), ("closed", closed)) if rules
        )
        return {
            "target": "aws_security_group",
            "group_id": group.group_id,
            "name": self.rule_set.name,
            "rules": rules,
            "opened": [str(rule) for rule in opened],
            "closed": [str(rule) for rule in closed],
            "changed": changed,
            "summary": done or f"already in sync: {_listed(rules) or 'nothing is open'}",
        }


class RestoreSecurityGroupOperator(_SecurityGroupOperator):
    """Undo this run's change of a security group: its rules as they were, or no group if this run made it."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"changed", "summary"}``."""
        ledger = self.ledger()
        found = ledger.journal(self.run_id).find(self.step)
        if found is None:
            return self._say("nothing to undo: the security group was not touched", changed=False)
        if other := ledger.turn(self.run_id).other_holder():
            return self._say(f"left alone: run {other.run_id} has the turn to change it", changed=False)
        return self._restore(found["rules"])

    def _restore(self, before: list[list[Any]] | None) -> dict[str, Any]:
        hook = self.hook()
        if (group := hook.find_group()) is None:
            return self._say("nothing to undo: there is no such group", changed=False)
        if before is None:
            hook.delete_group(group)
            return self._say(f"deleted the group {self.rule_set.name}, which this run had made", changed=True)
        opened, closed = diff_rules((Rule(*rule) for rule in before), group)
        hook.authorize(group, opened)
        hook.revoke(group, closed)
        return self._say(f"rules of {self.rule_set.name} as before this run", changed=bool(opened or closed))

    def _say(self, summary: str, *, changed: bool) -> dict[str, Any]:
        self.log.info(summary)
        return {"changed": changed, "summary": summary}


def _listed(rules: Iterable[Any]) -> str:
    return ", ".join(str(rule) for rule in rules)
