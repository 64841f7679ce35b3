"""A person's yes before a rollout (`gate: {approval: required}`), by Airflow's own human-in-the-loop page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException

from slipway.release.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context


class ApproveReleaseOperator(ApprovalOperator):
    """Ask a person whether the candidate may be rolled out; a no skips the rest of the run, and the champion stays.

    What the gate already turned down is skipped without asking. While the person thinks, other runs may have the turn;
    the rollout takes it again. Unanswered for a week, the task fails.
    """

    template_fields: Collection[str] = (*ApprovalOperator.template_fields, "decision", "run_id")

    def __init__(
        self,
        *,
        model: str,
        store: str,
        store_conn_id: str | None = None,
        decision: Any,
        run_id: str = "{{ run_id }}",
        **kwargs: Any,
    ) -> None:
        kwargs |= {"execution_timeout": None, "response_timeout": timedelta(days=7)}
        super().__init__(
            subject=f"Roll out {model}, partition {{{{ task.decision['partition'] }}}}?",
            body="{{ task.decision['summary'] }}\n\nReport: {{ task.decision['report'] }}",
            **kwargs,
        )
        self.model, self.store, self.store_conn_id = model, store, store_conn_id
        self.decision, self.run_id = decision, run_id

    def execute(self, context: Context) -> Any:
        """Asks, unless the gate said no."""
        if not self.decision["deploy"]:
            self.log.info("nobody is asked: %s", self.decision["reason"])
            raise AirflowSkipException(self.decision["reason"])
        self._turn().give_back()
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Returns the answer as Airflow records it: options, time, who."""
        self.log.info("answered: %s", ", ".join(event.get("chosen_options", ["nothing"])))
        return super().execute_complete(context, event)

    def _turn(self) -> Any:
        return Ledger.open(self.store, self.model, self.store_conn_id).turn(self.run_id)
