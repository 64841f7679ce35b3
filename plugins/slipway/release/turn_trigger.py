"""What waits for long in a run's turn keeps the turn."""

from __future__ import annotations

import asyncio
import time

from airflow.triggers.base import BaseTrigger

from slipway.core.errors import UnavailableError
from slipway.release.ledger import Ledger

RENEW_SECONDS = 300.0  # the turn's lease is 30 minutes


class TurnKeeper(BaseTrigger):
    """Works in a run's turn, which stays that run's for as long as `keep_turn` is called every few minutes.

    Args:
        store, store_conn_id, model: whose ledger.
        run_id: the run whose turn it is.
    """

    def __init__(self, *, store: str, store_conn_id: str | None, model: str, run_id: str) -> None:
        super().__init__()
        self.store, self.store_conn_id, self.model, self.run_id = store, store_conn_id, model, run_id
        self._renew_at = float("-inf")

    async def keep_turn(self) -> None:
        """Renew the turn when it is time to.

        Raises:
            ConflictError: another run has it.
        """
        if time.monotonic() >= self._renew_at:
            await asyncio.to_thread(self._renew)
            self._renew_at = time.monotonic() + RENEW_SECONDS

    async def sleep_until(self, moment: float) -> None:
        """Until that time of the monotonic clock; the turn stays ours. Raises ConflictError as `keep_turn` does."""
        while True:
            await self.keep_turn()
            if (seconds := moment - time.monotonic()) <= 0:
                return
            await asyncio.sleep(min(seconds, RENEW_SECONDS))

    def _renew(self) -> None:
        """A store that does not answer is asked again next time."""
        try:
            Ledger.open(self.store, self.model, self.store_conn_id).turn(self.run_id).require()
        except UnavailableError as error:
            self.log.warning("the turn was not renewed: %s", error)
