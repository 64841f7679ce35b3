"""Waits, without a worker, until the model's endpoint is nobody's turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from slipway.release.ledger import Ledger


class TurnTrigger(BaseTrigger):
    """Fires ``{"free": True}`` when the turn can be tried for, ``{"free": False, "holder": run id}`` at the deadline.

    Args:
        store: the model's store URI.
        store_conn_id: its Airflow connection.
        model: the model.
        run_id: the run that waits.
        deadline: Unix time in seconds at which waiting ends.
        poll_seconds: pause between two looks.
    """

    def __init__(
        self,
        *,
        store: str,
        store_conn_id: str | None,
        model: str,
        run_id: str,
        deadline: float,
        poll_seconds: float = 3.0,
    ) -> None:
        super().__init__()
        self.store, self.store_conn_id, self.model = store, store_conn_id, model
        self.run_id, self.deadline, self.poll_seconds = run_id, deadline, poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments that make this trigger again."""
        names = ("store", "store_conn_id", "model", "run_id", "deadline", "poll_seconds")
        return "slipway.release.trigger.TurnTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the turn is free or the deadline has come."""
        turn = Ledger.open(self.store, self.model, self.store_conn_id).turn(self.run_id)
        while holder := await asyncio.to_thread(turn.other_holder):
            if time.time() > self.deadline:
                yield TriggerEvent({"free": False, "holder": holder.run_id, "until": holder.until.isoformat()})
                return
            await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent({"free": True})
