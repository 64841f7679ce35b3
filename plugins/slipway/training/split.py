"""Which rows are kept from the model to measure it on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slipway.core.errors import RejectedError
from slipway.training.target import Target

Positions = npt.NDArray[np.int64]


class Split(NamedTuple):
    """0-based positions of rows, ascending; together all rows, none twice."""

    training: Positions
    holdout: Positions


def split_rows(target: Target, holdout: float, seed: int, column: str) -> Split:
    """A random holdout, for classification stratified: each class gives its share, at least one row, and keeps one.

    The same labels, share and seed give the same split on every machine.

    Args:
        target: one value per row.
        holdout: share of the rows, between 0 and 1.
        seed: for `numpy.random.default_rng`.
        column: the target's name, for the error text.

    Raises:
        RejectedError: a class with a single row, or fewer than 4 rows.
    """
    count = len(target.values)
    if count < 4:
        raise RejectedError(
            "could not split the rows into training and holdout",
            on=column,
            why=f"the dataset has too few rows: {count}, and 2 to learn from and 2 to measure on are the least",
            fix="Give a larger dataset.",
        )
    order = np.random.default_rng(seed).permutation(count)
    if target.classes is None:
        chosen = order[: min(max(round(holdout * count), 2), count - 2)]
    else:
        chosen = _stratified(order, target, holdout, column)
    kept = np.zeros(count, bool)
    kept[chosen] = True
    return Split(np.flatnonzero(~kept), np.flatnonzero(kept))


def _stratified(order: Positions, target: Target, holdout: float, column: str) -> Positions:
    assert target.classes is not None
    counts = np.bincount(target.values, minlength=len(target.classes))
    if (single := np.flatnonzero(counts < 2)).size:
        raise _single_rows([target.classes[code] for code in single], column)
    quota = _quota(counts, holdout)
    # Stable, so within a class the shuffled order stays: its first rows are a random draw.
    by_class = order[np.argsort(target.values[order], kind="stable")]
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    return np.concatenate([by_class[start : start + take] for start, take in zip(starts, quota, strict=True)])


def _quota(counts: npt.NDArray[Any], holdout: float) -> Positions:
    """Rows to take of each class: its exact share rounded by largest remainders, then at least 1 and never all."""
    share = counts * holdout
    quota = np.floor(share).astype(np.int64)
    rest = round(float(share.sum())) - int(quota.sum())
    quota[np.argsort(quota - share, kind="stable")[:rest]] += 1
    return np.clip(quota, 1, counts - 1)


def _single_rows(classes: list[Any], column: str) -> RejectedError:
    more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    shown = ", ".join(repr(name) for name in classes[:5]) + more
    one = len(classes) == 1
    return RejectedError(
        "could not split the rows into training and holdout",
        on=column,
        why=f"{'a class has' if one else 'classes have'} a single row: {shown}; "
        "one to learn from and one to measure on are needed",
        fix="Add rows of it or leave it out of the dataset; if the target is a quantity, name a regressor.",
    )
