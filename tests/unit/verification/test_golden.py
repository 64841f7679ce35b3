from __future__ import annotations

from typing import Any

import pytest

from slipway.verification.golden import find_difference

FLOWERS = ["rose", "tulip"]


def golden(predictions: list[Any], probabilities: list[list[float]] | None = None) -> dict[str, Any]:
    rows = [[float(number), 1.5] for number in range(len(predictions))]
    tolerances = {"absolute_tolerance": 1e-5, "relative_tolerance": 1e-4}
    return {
        "features": ["a", "b"],
        "rows": rows,
        "predictions": predictions,
        "probabilities": probabilities,
        **tolerances,
    }


def test_equal_answers_have_no_difference() -> None:
    assert find_difference(golden(["rose", "tulip"]), {"prediction": ["rose", "tulip"]}) is None


def test_another_label_names_the_row_what_came_and_what_was_expected() -> None:
    found = find_difference(golden(["rose", "tulip"]), {"prediction": ["rose", "rose"]})
    assert found == "row 2 [1.0, 1.5]: answered 'rose', training predicted 'tulip'"


@pytest.mark.parametrize(
    ("found", "same"),
    [(100.0, True), (100.009, True), (100.02, False), (100, True), (None, False), ("100.0", False), (True, False)],
)
def test_a_number_may_differ_by_the_tolerance_only(found: Any, same: bool) -> None:
    assert (find_difference(golden([100.0]), {"prediction": [found]}) is None) is same


def test_near_zero_the_absolute_tolerance_counts() -> None:
    assert find_difference(golden([0.0]), {"prediction": [9e-6]}) is None
    assert (
        find_difference(golden([0.0]), {"prediction": [2e-5]})
        == "row 1 [0.0, 1.5]: answered 2e-05, training predicted 0.0"
    )


@pytest.mark.parametrize("answer", [{}, {"prediction": "rose"}, {"prediction": ["rose"]}, {"prediction": None}])
def test_another_number_of_answers_is_a_difference(answer: dict[str, Any]) -> None:
    found = find_difference(golden(["rose", "tulip"]), answer)
    assert found is not None
    assert found.startswith("2 rows were asked, the answer holds ")
