"""Checks of a version that runs on a cluster, as tasks: the analysis between a rollout's steps; and the golden-row check."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.exceptions import HITLRejectException, HITLTimeoutError
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import TaskAwaitingInput

from slipway.cluster.labels import MODEL, TRACK
from slipway.release.ledger import Ledger
from slipway.verification.service_operators import VerifyServiceOperator
from slipway.verification.verdict import bad, find_error, good, question, refused, table

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

    from slipway.core.kubernetes_section import Analysis, KubernetesTarget
    from slipway.core.model_file import Access
    from slipway.verification.trigger import AnalysisTrigger

__all__ = ["AnalyseVersionOperator", "VerifyServiceOperator"]

_ROUND_SECONDS = 120  # no look at all pods takes longer, however many are slow


class AnalyseVersionOperator(ApprovalOperator):
    """Is the version that the task before gave a share of the requests any good?

    Measures its pods again and again, without holding a worker: share of failed answers, latency, golden rows, restarts.
    Good lets the rollout go on; bad fails this task, and undo takes the version back; what cannot be told either way is put to
    a person, on Airflow's page of required actions: yes is good, no is bad, and so is no answer for a week.

    Args:
        model, store, store_conn_id: whose ledger and bundle.
        target: the model file's `KubernetesTarget`.
        shift: what the task before returned, ``{"track", "skipped", "summary", ..}``; templated.
        track: whose pods, ``canary``, ``green`` or ``blue``; templated; empty: the track that `shift` names.
        analysis: the section of the model file.
        bundle: what training returned, ``{"key", "digest", ..}``; templated.
        access: who may ask the pods.
        run_id: templated.
    """

    template_fields: Collection[str] = (*ApprovalOperator.template_fields, "track", "shift", "bundle", "run_id")
    ui_color = "#e6f2ec"

    def __init__(
        self,
        *,
        model: str,
        store: str,
        store_conn_id: str | None = None,
        target: KubernetesTarget,
        shift: Any,
        track: str = "",
        analysis: Analysis,
        bundle: Any,
        access: Access,
        run_id: str = "{{ run_id }}",
        **kwargs: Any,
    ) -> None:
        kwargs |= {"execution_timeout": None, "response_timeout": timedelta(days=7), "fail_on_reject": True}
        super().__init__(subject=f"Is the new version of {model} good?", **kwargs)
        self.model, self.store, self.store_conn_id = model, store, store_conn_id
        self.target, self.shift, self.track = target, shift, track
        self.analysis, self.bundle, self.access, self.run_id = analysis, bundle, access, run_id

    def execute(self, context: Context) -> Any:
        """Returns ``{"phase", "measurements": [{"metric", "outcome", ..}], "responded_by_user", "changed", "summary"}``."""
        if (self.shift or {}).get("skipped"):
            summary = self.shift["summary"]
            self.log.info("nothing to measure: %s", summary)
            return {"phase": "Skipped", "changed": False, "summary": summary}
        self._require_turn()
        self.log.info("measuring %s every %g s", self._subject(), self.analysis.interval_seconds)
        return self.defer(trigger=self.trigger(), method_name="conclude", timeout=self._longest())

    def trigger(self) -> AnalysisTrigger:
        """What measures."""
        from slipway.verification.trigger import AnalysisTrigger

        return AnalysisTrigger(
            store=self.store,
            store_conn_id=self.store_conn_id,
            model=self.model,
            run_id=self.run_id,
            conn_id=self.target.conn_id,
            namespace=self.target.namespace,
            labels={MODEL: self.model, TRACK: self._track()},
            analysis=self.analysis.model_dump(mode="json"),
            bundle={name: self.bundle[name] for name in ("key", "digest")},
            access_conn_id=None if self.access.open else self.access.conn_id,
        )

    def conclude(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """What was measured decides, or else a person. Returns what `execute` does.

        Raises:
            RolloutError: the version is bad, or could not be measured.
            ConflictError: another run has the turn.
        """
        if error := find_error(event):
            raise error
        phase, on = event["phase"], self._subject()
        self.log.info("%s: %s\n%s", on, phase, table(event))
        if phase == "Inconclusive":
            self._ask(context, event)
        if phase != "Successful":
            limit = self.analysis.error_limit if phase == "Error" else self.analysis.failure_limit
            raise bad(on, event, limit=limit, namespace=self.target.namespace)
        return self._taken(event["measurements"], good(on, event))

    def answered(self, context: Context, event: dict[str, Any], measurements: list[dict[str, Any]]) -> dict[str, Any]:
        """What the person said decides. Returns what `execute` does.

        Raises:
            RolloutError: no, or nothing for a week.
            ConflictError: another run took the turn meanwhile.
        """
        on = self._subject()
        try:
            answer = super().execute_complete(context, event)
        except HITLRejectException as error:
            raise refused(on, f"{_who(event)} said no") from error
        except HITLTimeoutError as error:
            raise refused(on, "nobody said in a week whether it is good") from error
        return self._taken(measurements, f"{on} is good: {_who(answer)} said so", answer["responded_by_user"])

    def _ask(self, context: Context, event: dict[str, Any]) -> None:
        """Park the task until a person has answered; what was measured waits with it."""
        self.subject, self.body = f"Go on with the rollout of {self._subject()}?", question(event)
        try:
            super().execute(context)
        except TaskAwaitingInput as parked:
            kept = {"measurements": event["measurements"]}
            raise TaskAwaitingInput(method_name="answered", kwargs=kept, timeout=parked.timeout) from None

    def _taken(self, measurements: list[dict[str, Any]], summary: str, user: Any = None) -> dict[str, Any]:
        self._require_turn()  # a person may have thought for longer than a turn lasts
        self.log.info(summary)
        return {
            "phase": "Successful",
            "measurements": measurements,
            "responded_by_user": user,
            "changed": False,
            "summary": summary,
        }

    def _track(self) -> str:
        return self.track or self.shift["track"]

    def _subject(self) -> str:
        return f"{self.model} {self._track()}"

    def _require_turn(self) -> None:
        Ledger.open(self.store, self.model, self.store_conn_id).turn(self.run_id).require()

    def _longest(self) -> timedelta:
        """Every measurement but the last of a row may go wrong and be made again."""
        rounds = self.analysis.count * (self.analysis.error_limit + 1) + 1
        return timedelta(seconds=rounds * (self.analysis.interval_seconds + _ROUND_SECONDS))


def _who(answer: dict[str, Any]) -> str:
    return (answer.get("responded_by_user") or {}).get("name", "a person")
