"""What rolling out and undoing have in common, whatever the target: whose turn it is, what was found, what is said."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from slipway.core.errors import RejectedError
from slipway.release.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from slipway.core.model_file import Access
    from slipway.core.release import Release
    from slipway.rollout.served import ServerAccess


class EndpointOperator(BaseOperator):
    """Whose endpoint, which run; a subclass names its target.

    Args:
        model, store, store_conn_id: whose ledger.
        target: the item of the model file's `deploy`.
        access: who may ask the endpoint.
        run_id: templated.
    """

    template_fields: Sequence[str] = ("run_id",)
    ui_color = "#e3edf7"
    step: ClassVar[str]  # its name in the run's journal

    def __init__(
        self,
        *,
        model: str,
        store: str,
        store_conn_id: str | None = None,
        target: Any,
        access: Access,
        run_id: str = "{{ run_id }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.store, self.store_conn_id = model, store, store_conn_id
        self.target, self.access, self.run_id = target, access, run_id

    def ledger(self) -> Ledger:
        """The model's ledger."""
        return Ledger.open(self.store, self.model, self.store_conn_id)

    def server_access(self) -> ServerAccess | None:
        """Who may ask, with the hashes of their keys; None: everyone."""
        if self.access.open:
            return None
        from slipway.access.hook import ApiKeyHook
        from slipway.rollout.served import ServerAccess

        hashes = ApiKeyHook(self.access.conn_id).get_keys().hashes
        return ServerAccess(hashes, self.access.requests_per_second, self.access.burst)

    def _say(self, summary: str, *, changed: bool) -> dict[str, Any]:
        self.log.info(summary)
        return {"changed": changed, "summary": summary}


class RollOutOperator(EndpointOperator):
    """Skips what the gate refused, takes the turn, writes down what was found, and brings the new version into service."""

    template_fields: Sequence[str] = (*EndpointOperator.template_fields, "bundle", "decision")

    def __init__(self, *, bundle: Any, decision: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bundle, self.decision = bundle, decision

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns what `roll_out` does."""
        if not self.decision["deploy"]:
            self.log.info("not rolled out: %s: %s", self.decision["outcome"], self.decision["reason"])
            raise AirflowSkipException(self.decision["reason"])
        ledger = self.ledger()
        ledger.turn(self.run_id).require()
        champion = ledger.champion_release()
        found = {"release": champion.number if champion else 0, **self.find_state(champion)}
        recorded = ledger.journal(self.run_id).record_once(self.step, found)
        self._refuse_if_another_was_promoted(recorded, champion)
        result = self.roll_out()
        self.log.info(result["summary"])
        return result

    def _refuse_if_another_was_promoted(self, recorded: dict[str, Any], champion: Release | None) -> None:
        """Since this run began to change the endpoint: a person thought for a week, or a task of an old run was cleared."""
        number = champion.number if champion else 0
        ours = champion is not None and champion.bundle_digest == self.bundle["digest"]
        if recorded.get("release", number) == number or ours:  # journals of older versions do not say
            return
        raise RejectedError(
            "could not go on with the rollout",
            on=f"{self.model}, run {self.run_id}",
            why=f"release {number} was promoted since it began, and this version was never measured against that",
            fix="Trigger a new run.",
        )

    @abstractmethod
    def find_state(self, champion: Release | None) -> dict[str, Any]:
        """What undo needs to know: at least ``digest`` of what serves now, and ``champion``, the champion's digest or None."""

    @abstractmethod
    def roll_out(self) -> dict[str, Any]:
        """Bring the new version into service; returns the task's result, with at least ``endpoint`` and ``summary``."""


class RollOutImageOperator(RollOutOperator):
    """The same of a version that is an image.

    Args:
        image: what the build returned, ``{"image": "<registry>/<path>@sha256:<hex>", ..}``; templated.
        bundle, decision: what training and gate returned; templated.
    """

    template_fields: Sequence[str] = (*RollOutOperator.template_fields, "image")

    def __init__(self, *, image: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image = image


class RestoreOperator(EndpointOperator):
    """Undo this run's rollout: the champion serves again, or nothing if there was no champion."""

    handed_on: ClassVar[tuple[str, ...]] = ()  # what of `bring_back`'s result later tasks read

    def execute(self, context: Context) -> dict[str, Any]:
        """Returns ``{"changed", "summary"}``, and where the champion was brought back what is `handed_on`."""
        ledger = self.ledger()
        found = ledger.journal(self.run_id).find(self.step)
        if found is None:
            return self._say("nothing to undo: the rollout had not begun", changed=False)
        if reason := self._not_ours(ledger, found):
            return self._say(f"left alone: {reason}", changed=False)
        if found["champion"] is None:
            return self._say("stopped: there was no champion to return to", changed=self.stop())
        result = self.bring_back(found)
        said = self._say(f"returned to the champion: {result['summary']}", changed=result["changed"])
        return said | {name: result[name] for name in self.handed_on}

    def _not_ours(self, ledger: Ledger, found: dict[str, Any]) -> str | None:
        """Why the endpoint is no longer this run's to change, or None: then it has the turn."""
        turn = ledger.turn(self.run_id)
        if not turn.take():
            other = turn.other_holder()
            return f"{f'run {other.run_id}' if other else 'another run'} has the turn to change the endpoint"
        champion = ledger.find_champion()
        number = champion[0].release if champion else 0
        if number != found.get("release", number):  # journals of older versions do not say
            turn.give_back()
            return f"release {number} was promoted since"
        return None

    @abstractmethod
    def bring_back(self, found: dict[str, Any]) -> dict[str, Any]:
        """Have the champion serve, as `find_state` wrote it down; returns what `roll_out` would."""

    @abstractmethod
    def stop(self) -> bool:
        """Have nothing serve; returns whether anything did."""
