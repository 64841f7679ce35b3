"""Backfills through Airflow's own: older days end as backtests, the champion only moves forward, twice changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from slipway.core.partition import partition_order
from slipway.release.ledger import Ledger
from tests.system.conftest import Embedded

MINIMUM_ONLY = ("gate: {metric: roc_auc, minimum: 0.6, champion: not_worse}", "gate: {minimum: 0.1, champion: ignore}")


def backfill(embedded: Embedded, model: str, first: str, last: str, *options: str) -> str:
    done = embedded.command("backfill", model, "--from", first, "--to", last, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def everything(ledger: Ledger) -> dict[str, bytes]:
    """All objects of a model."""
    return {key: ledger._store.read(key) for key in ledger._store.keys("")}


def test_with_a_champion_in_place_older_days_are_backtests_and_newer_ones_may_promote(embedded: Embedded) -> None:
    delivered = embedded.command("demo", "flights", "--date", "2013-01-05")
    assert delivered.returncode == 0, delivered.stdout + delivered.stderr
    told = backfill(embedded, "flights", "2013-01-01", "2013-01-07")
    ledger = embedded.ledger("flights")
    found = {decision.partition[:10]: decision for decision in ledger.decisions()}
    for day in ("2013-01-01", "2013-01-02", "2013-01-03", "2013-01-04"):
        assert (found[day].outcome, found[day].deploy) == ("too old", False)
        champion = found[day].comparison.champion
        assert champion is not None
        assert champion.release >= 1
        assert f"{day}T00:00:00Z   too old         no" in told
    for day in ("2013-01-06", "2013-01-07"):
        assert found[day].outcome in {"better", "not worse", "worse", "below minimum"}
        assert found[day].comparison.difference is not None
    before = everything(ledger)
    again = backfill(embedded, "flights", "2013-01-01", "2013-01-07")
    assert "every date from 2013-01-01 to 2013-01-07 already has a run: nothing to do" in again
    assert everything(ledger) == before


def test_a_backtest_s_rollout_is_skipped_with_the_reason(embedded: Embedded) -> None:
    path = "/dags/deliver_flights/dagRuns/backfill__2013-01-02T00%3A00%3A00%2B00%3A00"
    tasks = {task["task_id"]: task for task in embedded.api.get(f"{path}/taskInstances", limit="100")["task_instances"]}
    for name in ("rollout.roll_out_process", "verification.verify_endpoint", "promotion.promote_release"):
        assert tasks[name]["state"] == "skipped"
    text = embedded.log("flights", "backfill__2013-01-02T00:00:00+00:00", tasks["rollout.roll_out_process"])
    assert "a backtest: the champion has seen 2013-01-0" in text


def test_backwards_and_in_parallel_the_champion_never_moves_back(embedded: Embedded) -> None:
    add(embedded, "reversed")
    backfill(embedded, "reversed", "2013-01-01", "2013-01-06", "--reverse", "--parallel", "3")
    ledger = embedded.ledger("reversed")
    releases = list(ledger.releases())
    partitions = [partition_order(release.partition) for release in releases]
    assert partitions == sorted(partitions)
    decisions = ledger.decisions()
    assert len(decisions) == 6
    by_number = {release.number: release for release in releases}
    for decision in decisions:
        champion = decision.comparison.champion
        if champion is None:
            assert decision.outcome in {"first release", "below minimum"}
        else:
            assert champion.partition == by_number[champion.release].partition
            assert decision.outcome == "too old" or partition_order(decision.partition) >= partition_order(
                champion.partition
            )


@pytest.fixture(scope="module")
def champions(embedded: Embedded) -> dict[str, Any]:
    """The champion's partition after a backfill under a gate that only asks for the minimum, by order of execution."""
    orders = {"forward": [], "backward": ["--reverse"], "mixed": ["--reverse", "--parallel", "3"]}
    for name in orders:
        add(embedded, f"minimum-{name}", MINIMUM_ONLY)
    with ThreadPoolExecutor(len(orders)) as pool:
        done = [
            pool.submit(backfill, embedded, f"minimum-{name}", "2013-01-01", "2013-01-04", *options)
            for name, options in orders.items()
        ]
    for future in done:
        future.result()
    found = {}
    for name in orders:
        release = embedded.ledger(f"minimum-{name}").champion_release()
        assert release is not None
        found[name] = (release.partition, release.dataset_id)
    return found


def test_under_a_minimum_every_order_ends_with_the_newest_champion(champions: dict[str, Any]) -> None:
    assert {partition for partition, _ in champions.values()} == {"2013-01-04T00:00:00Z"}
    assert len(set(champions.values())) == 1


def add(embedded: Embedded, name: str, *replacements: tuple[str, str]) -> None:
    """A model like flights, on the same files."""
    text = (embedded.profile.layout.dags / "models" / "flights.yaml").read_text()
    for old, new in (("model: flights", f"model: {name}"), *replacements):
        assert old in text, old
        text = text.replace(old, new)
    embedded.add_model(name, text)
