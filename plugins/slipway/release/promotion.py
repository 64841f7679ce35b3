"""Promotion: write the release down, then move the champion to it; a retry finds how far the last attempt came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipway.core.errors import ConflictError
from slipway.core.release import Champion, Release
from slipway.release.ledger import Ledger

_IDENTITY = ("dataset_id", "model_id", "bundle_digest", "image", "targets", "rules", "certificate")


def promote(ledger: Ledger, draft: Release, measured_against: Champion | None) -> tuple[Release, bool]:
    """Make `draft` the champion.

    Args:
        ledger: the model's ledger.
        draft: the release to be, its number not yet known.
        measured_against: the champion that the decision names; None when there was none.

    Returns:
        The release in service, and whether anything changed.

    Raises:
        ConflictError: another release became champion since the decision.
    """
    found = ledger.find_champion()
    champion, version = found if found else (None, None)
    if champion and (current := ledger.get_release(champion.release)) and same_release(current, draft):
        return current, False
    if champion != measured_against:
        raise _moved(draft, measured_against, champion)
    release = _find_recorded(ledger, draft, champion) or ledger.record(
        draft.model_copy(update={"previous": champion.release if champion else None})
    )
    ledger.promote(release, version)
    return release, True


def same_release(a: Release, b: Release) -> bool:
    """Whether two records put the same things in service; numbers, times and run ids do not matter."""
    return all(getattr(a, name) == getattr(b, name) for name in _IDENTITY)


def _find_recorded(ledger: Ledger, draft: Release, champion: Champion | None) -> Release | None:
    """The record an attempt of this run left when it died before the swap; only numbers above the champion's can be it."""
    after = champion.release if champion else 0
    mine: Callable[[Release], bool] = lambda r: r.run_id == draft.run_id and same_release(r, draft)  # noqa: E731
    return next((release for release in ledger.releases(after=after) if mine(release)), None)


def _moved(draft: Release, expected: Champion | None, found: Champion | None) -> ConflictError:
    names: dict[str, Any] = {
        who: f"release {champion.release}" if champion else "no champion"
        for who, champion in (("expected", expected), ("found", found))
    }
    return ConflictError(
        "could not promote the release",
        on=f"{draft.model} partition {draft.partition}",
        why=f"the decision was measured against {names['expected']}, but {names['found']} is in service now",
        fix="Clear the gate tasks of this run, so that it is measured against the champion of today.",
    )
