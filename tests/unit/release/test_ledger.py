"""The ledger: numbers never shared, the champion moves only by compare-and-swap, undo finds what it needs."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slipway.core.errors import ConflictError
from slipway.core.release import Champion, Comparison, Decision, Interval, Release
from slipway.release import turn as turn_module
from slipway.release.ledger import Ledger
from slipway.release.promotion import promote


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(str(tmp_path), "iris")


def draft(partition: str = "2013-01-05", model_id: str = "m1", run_id: str = "run-1") -> Release:
    return Release(
        number=0,
        model="iris",
        partition=partition,
        dataset_id="d1",
        model_id=model_id,
        bundle_digest=f"sha256:{model_id}",
        outcome="first release",
        run_id=run_id,
        created="2013-01-06T00:00:00+00:00",
    )


def decision(partition: str, model_id: str = "m1", champion: Champion | None = None) -> Decision:
    score = Interval(value=0.9, low=0.8, high=1.0)
    return Decision(
        model="iris",
        partition=partition,
        run_id="run-1",
        dataset_id="d1",
        model_id=model_id,
        bundle_digest="sha256:x",
        outcome="better" if champion else "first release",
        deploy=True,
        reason="it is",
        comparison=Comparison(metric="accuracy", candidate=score, higher_is_better=True, rows=9, champion=champion),
    )


def champion_of(ledger: Ledger) -> Champion:
    found = ledger.find_champion()
    assert found is not None
    return found[0]


def test_an_empty_ledger_has_no_champion_and_no_releases(ledger: Ledger) -> None:
    assert ledger.find_champion() is None
    assert ledger.champion_release() is None
    assert list(ledger.releases()) == []
    assert ledger.decisions() == []


def test_promotion_records_the_release_and_moves_the_champion(ledger: Ledger) -> None:
    first, changed = promote(ledger, draft(), None)
    assert (first.number, first.previous, changed) == (1, None, True)
    second, _ = promote(ledger, draft("2013-01-06", "m2", "run-2"), champion_of(ledger))
    assert (second.number, second.previous) == (2, 1)
    assert champion_of(ledger) == Champion(release=2, model_id="m2", partition="2013-01-06")
    assert [release.number for release in ledger.releases()] == [1, 2]


def test_promoting_what_is_in_service_changes_nothing(ledger: Ledger) -> None:
    first, _ = promote(ledger, draft(), None)
    again, changed = promote(ledger, draft(run_id="another run"), champion_of(ledger))
    assert (again, changed) == (first, False)
    assert len(list(ledger.releases())) == 1


def test_a_champion_that_moved_since_the_decision_stops_the_promotion(ledger: Ledger) -> None:
    promote(ledger, draft(), None)
    with pytest.raises(
        ConflictError, match=r"measured against no champion, but release 1 is in service now. Clear the gate"
    ):
        promote(ledger, draft("2013-01-06", "m2", "run-2"), None)
    assert champion_of(ledger).release == 1


def test_a_retry_after_a_kill_between_record_and_swap_uses_the_same_number(ledger: Ledger) -> None:
    killed = ledger.record(draft())
    release, changed = promote(ledger, draft(), None)
    assert (release.number, changed) == (killed.number, True)
    assert len(list(ledger.releases())) == 1


def test_parallel_writers_never_share_a_number(ledger: Ledger) -> None:
    numbers: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: numbers.append(ledger.record(draft(run_id=f"run-{n}")).number))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 9))


def test_the_same_decision_twice_is_one_record_and_another_champion_is_another(ledger: Ledger) -> None:
    ledger.record_decision(decision("2013-01-06"))
    ledger.record_decision(decision("2013-01-06"))
    ledger.record_decision(decision("2013-01-06", champion=Champion(release=1, model_id="m0", partition="2013-01-05")))
    ledger.record_decision(decision("2013-01-05T12:00:00+00:00"))
    assert [d.partition for d in ledger.decisions()] == ["2013-01-05T12:00:00+00:00", "2013-01-06", "2013-01-06"]


def test_the_journal_keeps_what_the_first_attempt_found(ledger: Ledger) -> None:
    journal = ledger.journal("scheduled__2013-01-05T00:00:00+00:00")
    assert journal.find("rollout/process") is None
    assert journal.record_once("rollout/process", {"digest": "old"}) == {"digest": "old"}
    assert journal.record_once("rollout/process", {"digest": "new"}) == {"digest": "old"}
    assert ledger.journal("another run").find("rollout/process") is None


def test_one_run_has_the_turn_until_it_gives_it_back(ledger: Ledger) -> None:
    mine, other = ledger.turn("a"), ledger.turn("b")
    assert mine.take()
    assert mine.take(), "a retry of the same run must find its turn"
    assert not other.take()
    other.give_back()
    with pytest.raises(ConflictError, match=r"it is the turn of run a\. Clear the gate's tasks"):
        other.require()
    mine.give_back()
    assert other.take()


def test_the_turn_of_a_dead_run_lapses(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_module, "LEASE", timedelta(seconds=-1))
    assert ledger.turn("dead").take()
    monkeypatch.undo()
    assert ledger.turn("b").other_holder() is None
    assert ledger.turn("b").take()
    holder = ledger.turn("dead").other_holder()
    assert holder is not None
    assert holder.run_id == "b"
    assert holder.until > datetime.now(UTC)
