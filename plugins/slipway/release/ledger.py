"""The ledger of one model in its store.

<store>/<model>/decisions/<partition>/<...>.json   every verdict of the gate, also backtests
<store>/<model>/releases/000042.json               immutable, counted up
<store>/<model>/champion.json                      the release in service; moves by compare-and-swap only
<store>/<model>/runs/<run>/<step>.json             what a run found before it changed it, for undo
<store>/<model>/turn.json                          which run may change the endpoint now
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from slipway.core.errors import ConflictError
from slipway.core.identity import content_id, object_name
from slipway.core.partition import partition_order
from slipway.core.release import Champion, Decision, Release
from slipway.release.turn import Turn
from slipway.storage.object_store import ObjectStore, open_store


class Journal:
    """What one run found before it changed it, so that undo restores exactly that and a retry does not forget it."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store, self._prefix = store, prefix

    def record_once(self, step: str, found: dict[str, Any]) -> dict[str, Any]:
        """Write down the state before `step`, unless an earlier attempt did; returns what stands in the journal."""
        try:
            self._store.create(self._key(step), _json(found))
        except ConflictError:
            return json.loads(self._store.read(self._key(step)))  # type: ignore[no-any-return]
        return found

    def find(self, step: str) -> dict[str, Any] | None:
        """The state before `step`, or None if this run never began it."""
        stored = self._store.find(self._key(step))
        return json.loads(stored.data) if stored else None

    def _key(self, step: str) -> str:
        return f"{self._prefix}/{step.replace('/', '-')}.json"


class Ledger:
    """Reads and writes the records; `store` is already below `<store>/<model>/`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, store_uri: str, model: str, conn_id: str | None = None) -> Ledger:
        """The ledger of `model` in the store at `store_uri`; no I/O yet."""
        return cls(open_store(f"{store_uri.rstrip('/')}/{model}", conn_id))

    def journal(self, run_id: str) -> Journal:
        """The undo journal of one run."""
        return Journal(self._store, f"runs/{object_name(run_id)}")

    def turn(self, run_id: str) -> Turn:
        """The right of one run to change the endpoint."""
        return Turn(self._store, run_id)

    def find_champion(self) -> tuple[Champion, str] | None:
        """The champion with the version to swap against, or None before the first release."""
        stored = self._store.find("champion.json")
        return (Champion.model_validate_json(stored.data), stored.version) if stored else None

    def get_release(self, number: int) -> Release:
        """Raises AbsentError."""
        return Release.model_validate_json(self._store.read(_release_key(number)))

    def releases(self, *, after: int = 0) -> Iterator[Release]:
        """The releases with a number above `after`, in that order; recorded is not yet promoted."""
        for number in self._numbers():
            if number > after:
                yield self.get_release(number)

    def record(self, draft: Release) -> Release:
        """Write `draft` under the next free number, which it gets; two writers never share one."""
        number = max(self._numbers(), default=0)
        while True:
            number += 1
            release = draft.model_copy(update={"number": number})
            try:
                self._store.create(_release_key(number), _json(release.model_dump(mode="json")))
            except ConflictError:
                continue
            return release

    def promote(self, release: Release, expected: str | None) -> None:
        """Move the champion to `release`.

        Args:
            release: a recorded release.
            expected: the champion's version that the decision was measured against; None: there was none.

        Raises:
            ConflictError: the champion moved since.
        """
        champion = Champion(release=release.number, model_id=release.model_id, partition=release.partition)
        data = _json(champion.model_dump(mode="json"))
        if expected is None:
            self._store.create("champion.json", data)
        else:
            self._store.swap("champion.json", data, expected)

    def record_decision(self, decision: Decision) -> str:
        """Keep a verdict; the same verdict twice (same model, partition and champion) is one record. Returns its key."""
        champion = decision.comparison.champion
        against = f"release-{champion.release:06d}" if champion else "first"
        verdict = content_id([decision.outcome, decision.deploy])[:6]
        key = f"decisions/{object_name(decision.partition)}/{decision.model_id[:12]}-{against}-{verdict}"
        try:
            self._store.create(f"{key}.json", _json(decision.model_dump(mode="json")))
        except ConflictError:
            return key
        return key

    def decisions(self) -> list[Decision]:
        """Every verdict, oldest partition first."""
        keys = [key for key in self._store.keys("decisions/") if key.endswith(".json")]
        found = [Decision.model_validate_json(self._store.read(key)) for key in keys]
        return sorted(found, key=lambda decision: partition_order(decision.partition))

    def _numbers(self) -> list[int]:
        return [int(key.removeprefix("releases/").removesuffix(".json")) for key in self._store.keys("releases/")]

    def champion_release(self) -> Release | None:
        """The record of the release in service, or None before the first."""
        found = self.find_champion()
        return self.get_release(found[0].release) if found else None


def _release_key(number: int) -> str:
    return f"releases/{number:06d}.json"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"
