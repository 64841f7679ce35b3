"""The turn: at most one run at a time may change a model's endpoint.

Without it two parallel runs would roll out over each other and undo each other's work; the champion's
compare-and-swap alone protects the ledger, not the endpoint. A turn is a lease in the store: it is given back at the
end of a run, and one that a dead run left behind lapses.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from slipway.core.errors import ConflictError
from slipway.storage.object_store import ObjectStore

LEASE = timedelta(minutes=30)  # longer than any single step between two renewals, shorter than anyone's patience
_KEY = "turn.json"


@dataclass(frozen=True)
class Holder:
    """Who has the turn, until when (UTC)."""

    run_id: str
    until: datetime


class Turn:
    """The turn as one run sees it."""

    def __init__(self, store: ObjectStore, run_id: str) -> None:
        self._store, self._run_id = store, run_id

    def take(self) -> bool:
        """Take the turn, or renew it if this run (an earlier attempt, an earlier step) has it; False: another run has it."""
        stored = self._store.find(_KEY)
        try:
            if stored is None:
                self._store.create(_KEY, self._lease())
            elif _free_for(self._run_id, _parse(stored.data)):
                self._store.swap(_KEY, self._lease(), stored.version)
            else:
                return False
        except ConflictError:
            return False
        return True

    def require(self) -> None:
        """Hold the turn from here on, before the endpoint is changed.

        Raises:
            ConflictError: another run has it.
        """
        if not self.take():
            holder = self.other_holder()
            raise ConflictError(
                "could not change the endpoint",
                on=self._store.uri,
                why=f"it is the turn of run {holder.run_id}" if holder else "another run took the turn just now",
                fix="Clear the gate's tasks of this run when that run has ended.",
            )

    def other_holder(self) -> Holder | None:
        """The run that keeps this one from its turn, or None."""
        stored = self._store.find(_KEY)
        holder = _parse(stored.data) if stored else None
        return None if holder is None or _free_for(self._run_id, holder) else holder

    def give_back(self) -> None:
        """End this run's turn; without one, nothing happens."""
        stored = self._store.find(_KEY)
        if stored and _parse(stored.data).run_id == self._run_id:
            self._store.delete(_KEY, stored.version)

    def _lease(self) -> bytes:
        return json.dumps({"run_id": self._run_id, "until": (datetime.now(UTC) + LEASE).isoformat()}).encode()


def _parse(data: bytes) -> Holder:
    value = json.loads(data)
    return Holder(value["run_id"], datetime.fromisoformat(value["until"]))


def _free_for(run_id: str, holder: Holder) -> bool:
    return holder.run_id == run_id or holder.until < datetime.now(UTC)
