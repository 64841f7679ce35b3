"""The pictures: what is on them, and that nothing of it is cut off."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest

from slipway.training.outcome import Outcome
from slipway.training.plots import draw, name_classes
from slipway.training.svg_figure import canvas

RANDOM = np.random.default_rng(6)


def outcome(classes: int, *, probabilities: bool = True) -> Outcome:
    truth = np.arange(240) % classes
    chances = RANDOM.random((240, classes)) + np.eye(classes)[truth]
    chances /= chances.sum(axis=1, keepdims=True)
    return Outcome(truth, chances.argmax(axis=1), chances if probabilities else None, classes)


def words(svg: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


@pytest.mark.parametrize(
    ("classes", "probabilities", "titles"),
    [
        (2, True, ["Confusion matrix", "ROC curve", "Precision and recall", "Calibration"]),
        (5, True, ["Confusion matrix", "ROC curve", "Precision and recall", "Calibration"]),
        (3, False, ["Confusion matrix"]),
    ],
)
def test_a_classifier_has_these(classes: int, probabilities: bool, titles: list[str]) -> None:
    found = draw(outcome(classes, probabilities=probabilities), [f"c{code}" for code in range(classes)], "y")
    assert [plot.title for plot in found] == titles


def test_a_regressor_has_its_residuals() -> None:
    numbers = Outcome(RANDOM.normal(size=50), RANDOM.normal(size=50), None, 0)
    found = draw(numbers, [], "price")
    assert [plot.title for plot in found] == ["Predicted against actual", "Residuals"]
    assert "predicted price" in words(found[1].svg)


def test_the_matrix_counts() -> None:
    answers = Outcome(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0]), None, 2)
    [matrix] = draw(answers, ["no", "yes"], "y")
    assert [word for word in words(matrix.svg) if word.isdigit()] == ["2", "1", "1", "1"]


def test_the_curve_says_which_of_two_classes_it_is_about() -> None:
    _, roc, precision, calibration = draw(outcome(2), ["benign", "malignant"], "y")
    assert "“malignant”" in roc.caption
    assert "“malignant”" in precision.caption
    assert "probability of malignant" in words(calibration.svg)


def test_many_classes_are_said_to_be_the_most_frequent_ones() -> None:
    matrix, roc, *_ = draw(outcome(20), [f"c{code}" for code in range(20)], "y")
    assert "The 12 most frequent of 20 classes." in matrix.caption
    assert "The 6 most frequent of 20 classes." in roc.caption


def test_long_names_stay_apart_when_they_are_shortened() -> None:
    names = [f"a very long name of a class, number {code}" for code in range(7)]
    [matrix] = draw(outcome(7, probabilities=False), names, "y")
    shown = {word for word in words(matrix.svg) if "…" in word}
    assert len(shown) == 7
    assert all(len(word) == 18 for word in shown)


@pytest.mark.parametrize("names", [["no", "yes"], ["W" * 18, "m" * 18], ["setosa"] * 3, ["W" * 18] * 12, ["x"] * 12])
def test_no_name_is_cut_off_by_the_edge(names: list[str]) -> None:
    with canvas("names") as drawing:
        edge = (-0.5, len(names) - 0.5)
        drawing.axes.set(xlim=edge, ylim=edge, xlabel="predicted", ylabel="true")
        name_classes(drawing, names)
        drawing.figure.draw_without_rendering()
        box = drawing.figure.bbox
        parts = [*drawing.axes.get_yticklabels(), drawing.axes.xaxis.label, drawing.axes.yaxis.label]
        extents = [part.get_window_extent() for part in parts]
    assert all(box.x0 <= extent.x0 and extent.x1 <= box.x1 for extent in extents)
    assert all(box.y0 <= extent.y0 and extent.y1 <= box.y1 for extent in extents)


def test_a_name_is_text_and_never_markup() -> None:
    [matrix] = draw(outcome(2, probabilities=False), ["<script>", "a & b"], "y")
    assert "<script>" not in matrix.svg
    assert {"<script>", "a & b"} <= set(words(matrix.svg))
