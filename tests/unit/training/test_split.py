from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.core.errors import RejectedError
from slipway.training.split import split_rows
from slipway.training.target import Target


def labelled(*counts: int) -> Target:
    """So many rows of each class, mixed."""
    codes = np.repeat(np.arange(len(counts)), counts)
    return Target(np.random.default_rng(5).permutation(codes), tuple(f"c{code}" for code in range(len(counts))))


@given(
    counts=st.lists(st.integers(2, 200), min_size=2, max_size=6), holdout=st.floats(0.01, 0.99), seed=st.integers(0, 99)
)
def test_every_class_gives_its_share_and_every_row_is_used_once(counts: list[int], holdout: float, seed: int) -> None:
    target = labelled(*counts)
    split = split_rows(target, holdout, seed, "y")
    assert sorted([*split.training, *split.holdout]) == list(range(sum(counts)))
    taken = np.bincount(target.values[split.holdout], minlength=len(counts))
    for count, held in zip(counts, taken, strict=True):
        assert 1 <= held <= count - 1
        assert abs(held - count * holdout) <= 1 or held in {1, count - 1}


def test_a_share_of_a_rare_class_is_held_out_too() -> None:
    target = labelled(990, 10)
    assert np.bincount(target.values[split_rows(target, 0.2, 0, "y").holdout]).tolist() == [198, 2]


def test_the_seed_decides_and_nothing_else() -> None:
    target = labelled(60, 40)
    first, again, other = (split_rows(target, 0.25, seed, "y").holdout.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_numbers_are_split_by_count() -> None:
    split = split_rows(Target(np.arange(100.0), None), 0.3, 0, "y")
    assert (len(split.training), len(split.holdout)) == (70, 30)


def test_a_class_with_a_single_row_is_rejected_by_name() -> None:
    with pytest.raises(RejectedError) as caught:
        split_rows(labelled(5, 1, 1), 0.2, 0, "species")
    assert str(caught.value).startswith(
        "could not split the rows into training and holdout: species: classes have a single row: 'c1', 'c2'; "
    )


def test_three_rows_are_too_few() -> None:
    with pytest.raises(RejectedError, match="the dataset has too few rows: 3, and 2 to learn from and 2 to measure on"):
        split_rows(Target(np.arange(3.0), None), 0.5, 0, "y")
