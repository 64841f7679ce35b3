"""The gate and the promotion as tasks."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped

from slipway.core.errors import UnavailableError
from slipway.core.partition import is_older, normalise_partition
from slipway.core.release import Comparison, Decision, Release
from slipway.release.decision_page import with_decision
from slipway.release.gate import decide
from slipway.release.ledger import Ledger
from slipway.release.promotion import promote
from slipway.release.trigger import TurnTrigger
from slipway.storage.object_store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from slipway.core.model_file import Gate


class _LedgerOperator(BaseOperator):
    """What the four tasks share: which ledger, which run."""

    template_fields: Sequence[str] = ("run_id", "partition", "choice")
    ui_color = "#e8f0ea"

    def __init__(
        self,
        *,
        model: str,
        store: str,
        store_conn_id: str | None = None,
        run_id: str = "{{ run_id }}",
        partition: str = "",
        choice: str = "newer",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.store, self.store_conn_id = model, store, store_conn_id
        self.run_id, self.partition, self.choice = run_id, partition, choice

    def ledger(self) -> Ledger:
        """The model's ledger."""
        return Ledger.open(self.store, self.model, self.store_conn_id)


class TakeTurnOperator(_LedgerOperator):
    """Wait until no other run is changing this model's endpoint, then hold the turn until promotion or undo.

    A run that cannot deploy (told never to, or older than the champion) takes no turn and never waits. Waiting
    holds no worker: the triggerer looks, up to `timeout_seconds`, then the task fails and names the run that has the turn.
    """

    def __init__(self, *, timeout_seconds: float = 3600, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.timeout_seconds = timeout_seconds

    def execute(self, context: Context, event: dict[str, Any] | None = None, deadline: float = 0) -> dict[str, Any]:
        """Returns ``{"held", "summary"}``."""
        ledger = self.ledger()
        if reason := _cannot_deploy(ledger, self.partition, self.choice):
            self.log.info("no turn needed: %s", reason)
            return {"held": False, "summary": f"no turn needed: {reason}"}
        deadline = deadline or time.time() + self.timeout_seconds
        if not ledger.turn(self.run_id).take():
            self._wait(event, deadline)
        self.log.info("it is this run's turn to change the endpoint of %s", self.model)
        return {"held": True, "summary": "this run may change the endpoint"}

    def _wait(self, event: dict[str, Any] | None, deadline: float) -> None:
        if event and not event["free"]:
            raise UnavailableError(
                "could not get the turn to change the endpoint",
                on=self.model,
                why=f"run {event['holder']} has had it for {self.timeout_seconds / 60:.0f} minutes",
                fix=f"Let that run finish or fail it; its turn lapses by itself at {event['until']}.",
            )
        self.log.info("another run is changing the endpoint of %s; waiting", self.model)
        trigger = TurnTrigger(
            store=self.store,
            store_conn_id=self.store_conn_id,
            model=self.model,
            run_id=self.run_id,
            deadline=deadline,
        )
        grace = timedelta(seconds=max(0, deadline - time.time()) + 60)
        self.defer(trigger=trigger, method_name="execute", kwargs={"deadline": deadline}, timeout=grace)


class DecideReleaseOperator(_LedgerOperator):
    """The gate: decide from the comparison whether the candidate is deployed, and write the decision down.

    The decision, with its numbers and the champion it was measured against, goes into the ledger, into the report
    and into the log. A run that is not to deploy gives its turn back here; its later tasks are skipped.
    """

    template_fields: Sequence[str] = (*_LedgerOperator.template_fields, "comparison", "evaluation")

    def __init__(self, *, gate: Gate, comparison: Any, evaluation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gate, self.comparison, self.evaluation = gate, comparison, evaluation

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns the decision, with ``report`` (URI of the page) and ``summary``."""
        ledger, decision = self.ledger(), self._decision()
        key = ledger.record_decision(decision)
        files = open_store(f"{self.store}/{self.model}", self.store_conn_id)
        page = files.read(f"{self.evaluation['key']}report.html").decode()
        files.write(f"{key}.html", with_decision(page, decision).encode())
        if not decision.deploy:
            ledger.turn(self.run_id).give_back()
        self.log.info("%s", decision.headline())
        report = f"{self.store}/{self.model}/{key}.html"
        return decision.model_dump(mode="json") | {"report": report, "changed": False, "summary": decision.headline()}

    def _decision(self) -> Decision:
        comparison = Comparison.model_validate(self.comparison)
        partition, model_id = normalise_partition(self.partition), self.evaluation["model_id"]
        verdict = decide(self.gate, comparison, partition=partition, model_id=model_id, choice=self.choice)  # type: ignore[arg-type]
        return Decision(
            model=self.model,
            partition=partition,
            run_id=self.run_id,
            dataset_id=self.evaluation["dataset_id"],
            model_id=model_id,
            bundle_digest=self.evaluation["digest"],
            outcome=verdict.outcome,
            deploy=verdict.deploy,
            reason=verdict.reason,
            comparison=comparison,
        )


class PromoteReleaseOperator(_LedgerOperator):
    """Record the release and move the champion to it, by compare-and-swap against the champion of the decision.

    What is in service already stays as it is, and the log says so. Ends the run's turn. `undo` names the tasks that a promoted
    run has no use for: they are marked as skipped here, or the scheduler would find out one by one, a look at the run for each.
    """

    template_fields: Sequence[str] = (
        *_LedgerOperator.template_fields,
        "decision",
        "rollouts",
        "firewalls",
        "verifications",
        "approval",
        "image",
        "reason",
    )

    def __init__(
        self,
        *,
        decision: Any,
        rollouts: Any,
        firewalls: Any,
        verifications: Any,
        approval: Any = None,
        image: Any = None,
        reason: str = "",
        undo: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.undo = list(undo)
        self.decision, self.rollouts, self.firewalls = decision, rollouts, firewalls
        self.verifications, self.approval, self.image, self.reason = verifications, approval, image, reason

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"release", "partition", "model_id", "endpoints", "changed", "summary"}``."""
        promoted = self._promote()
        if not self.undo:
            return promoted
        context["ti"].xcom_push(key=BaseXCom.XCOM_RETURN_KEY, value=promoted)
        raise DownstreamTasksSkipped(tasks=self.undo)  # a success to Airflow, which then takes no result from here

    def _promote(self) -> dict[str, Any]:
        decision, ledger = Decision.model_validate(_only(Decision, self.decision)), self.ledger()
        if not decision.deploy:
            self.log.info("not promoted: %s: %s", decision.outcome, decision.reason)
            raise AirflowSkipException(decision.reason)
        release, changed = promote(ledger, self._draft(decision), decision.comparison.champion)
        ledger.turn(self.run_id).give_back()
        verb = "promoted" if changed else "already in service"
        summary = f"{verb}: release {release.number} of {self.model}, partition {release.partition}"
        self.log.info(summary)
        return {
            "release": release.number,
            "partition": release.partition,
            "model_id": release.model_id,
            "endpoints": [verification["endpoint"] for verification in self.verifications],
            "changed": changed,
            "summary": summary,
        }

    def _draft(self, decision: Decision) -> Release:
        return Release(
            number=0,
            image=(self.image or {}).get("image"),
            targets=tuple(_stable(result) for result in self.rollouts),
            rules=tuple(_stable(result) for result in self.firewalls),
            verification=tuple(_stable(result) for result in self.verifications),
            approver=((self.approval or {}).get("responded_by_user") or {}).get("name"),
            reason=self.reason or None,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            **_only(Release, decision.model_dump(exclude={"reason"})),
        )


class ReturnTurnOperator(_LedgerOperator):
    """The end of undo: let the next run change the endpoint."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"summary"}``."""
        self.ledger().turn(self.run_id).give_back()
        self.log.info("the turn of %s is free again; the champion stays as it was", self.model)
        return {"summary": "the turn is free again; the champion stays as it was"}


def _cannot_deploy(ledger: Ledger, partition: str, choice: str) -> str | None:
    if choice == "never":
        return "this run was told never to deploy"
    found = ledger.find_champion()
    if choice == "newer" and found and is_older(partition, found[0].partition):
        return f"a backtest: the champion has seen {found[0].partition}"
    return None


def _only(record: type[Decision] | type[Release], values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in record.model_fields if name in values}


def _stable(result: dict[str, Any]) -> dict[str, Any]:
    """A task's result without what differs from run to run: a release record says what is, not what was just done."""
    return {name: value for name, value in result.items() if name not in {"changed", "summary", "opened", "closed"}}
