"""The pictures of the report, each an inline SVG. Curves and clouds are thinned: a page must open at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slipway.training.importance import Importances
from slipway.training.outcome import Outcome
from slipway.training.ranking import Ranking
from slipway.training.svg_figure import ACCENT, CARD, INK, LINE, MUTED, SERIES, WARM, Canvas, canvas

_POINTS = 150  # of a curve
_DOTS = 1200  # of a cloud
_CURVES = 6  # classes drawn one by one
_CELLS = 12  # classes of a confusion matrix
_BARS = 15
_SIDE = 34  # letters along a side of the confusion matrix


class Plot(NamedTuple):
    """A picture with what to say above and below it."""

    title: str
    caption: str
    svg: str


def draw(outcome: Outcome, labels: Sequence[str], target: str) -> list[Plot]:
    """The pictures that fit: `labels` are the classes, empty for regression."""
    if not labels:
        return [predicted_against_actual(outcome, target), residuals(outcome, target)]
    plots = [confusion_matrix(outcome, labels)]
    if outcome.probabilities is not None:
        plots += [roc_curve(outcome, labels), precision_recall_curve(outcome, labels), calibration(outcome, labels)]
    return plots


def confusion_matrix(outcome: Outcome, labels: Sequence[str]) -> Plot:
    """Rows are the true classes; the shade is the share of the row."""
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (outcome.truth, outcome.predicted), 1)
    shown = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:_CELLS])
    counts, names = counts[np.ix_(shown, shown)], [_cut(labels[code]) for code in shown]
    caption = "Each row is a true class, the shade its share of the row."
    if len(shown) < len(labels):
        caption += f" The {len(shown)} most frequent of {len(labels)} classes."
    with canvas("Confusion matrix") as drawing:
        axes = drawing.axes
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        for (row, column), count in np.ndenumerate(counts):
            colour = ACCENT if row == column else WARM
            tile = (column - 0.48, row - 0.48)
            axes.add_patch(_tile(tile, colour, 0.06 + 0.74 * share[row, column]))
            axes.text(
                column, row, f"{count:,}", ha="center", va="center", color=INK, fontsize=11 if len(names) < 6 else 8
            )
        axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5), xlabel="predicted", ylabel="true")
        axes.spines[:].set_visible(False)
        name_classes(drawing, names)
    return Plot("Confusion matrix", caption, drawing.svg)


def name_classes(drawing: Canvas, names: Sequence[str]) -> None:
    """Name the rows and columns of a matrix: along the sides where that fits, else aslant, with the margins it takes."""
    axes, places = drawing.axes, range(len(names))
    longest = max(map(len, names))
    axes.tick_params(length=0)
    if longest * len(names) <= _SIDE:
        axes.set_xticks(places, names)
        axes.set_yticks(places, names, rotation=90, va="center")
        return
    axes.set_xticks(places, names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names)
    figure = drawing.figure
    figure.draw_without_rendering()
    left = 0.45 + max(label.get_window_extent().width for label in axes.get_yticklabels()) / figure.dpi
    bottom = 0.45 + max(label.get_window_extent().height for label in axes.get_xticklabels()) / figure.dpi
    width, height = figure.get_size_inches()
    axes.set_position((left / width, bottom / height, 0.97 - left / width, 0.96 - bottom / height))


def _tile(corner: tuple[float, float], colour: str, alpha: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 0.96, 0.96, facecolor=colour, alpha=float(alpha), linewidth=0)


def roc_curve(outcome: Outcome, labels: Sequence[str]) -> Plot:
    """True against false positives over all thresholds."""
    with canvas("ROC curve") as drawing:
        drawing.axes.plot([0, 1], [0, 1], color=LINE, linewidth=1, linestyle=(0, (4, 3)))
        for name, ranking, _, colour in _curves(outcome, labels):
            hits, misses = _cumulated(ranking)
            drawing.axes.plot(*_thinned(misses / misses[-1], hits / hits[-1]), color=colour, label=name)
        _unit_square(drawing.axes, "false positive rate", "true positive rate", len(labels), "lower right")
    caption = f"The further to the upper left, the better; the dashes are guessing.{_positive(labels)}{_more(labels)}"
    return Plot("ROC curve", caption, drawing.svg)


def precision_recall_curve(outcome: Outcome, labels: Sequence[str]) -> Plot:
    """Precision against recall over all thresholds."""
    with canvas("Precision and recall") as drawing:
        for name, ranking, share, colour in _curves(outcome, labels):
            hits, misses = _cumulated(ranking)
            found, claimed = hits[1:], (hits + misses)[1:]
            drawing.axes.plot(*_thinned(found / hits[-1], found / claimed), color=colour, label=name)
            drawing.axes.axhline(share, color=colour, linewidth=0.8, linestyle=(0, (4, 3)), alpha=0.5)
        _unit_square(drawing.axes, "recall", "precision", len(labels), "lower left")
    caption = "How many of the claims are right, against how many of the cases are found; the dashes are guessing."
    return Plot("Precision and recall", caption + _positive(labels) + _more(labels), drawing.svg)


def calibration(outcome: Outcome, labels: Sequence[str]) -> Plot:
    """How often what was given a probability comes true, in ten groups of equal size."""
    assert outcome.probabilities is not None
    if len(labels) == 2:
        given, true = outcome.probabilities[:, 1], outcome.truth == 1
        what = f"probability of {_cut(labels[1])}"
    else:
        given, true = outcome.probabilities.max(axis=1), outcome.truth == outcome.probabilities.argmax(axis=1)
        what = "probability of the most likely class"
    groups = [
        group
        for group in np.array_split(np.argsort(given, kind="stable"), min(10, max(2, len(given) // 10)))
        if len(group)
    ]
    with canvas("Calibration") as drawing:
        axes = drawing.axes
        axes.plot([0, 1], [0, 1], color=LINE, linewidth=1, linestyle=(0, (4, 3)))
        means, shares = [given[group].mean() for group in groups], [true[group].mean() for group in groups]
        axes.plot(means, shares, color=ACCENT, marker="o", markersize=5)
        _unit_square(axes, what, "share that came true", 2, "")
    caption = f"On the dashes, a probability means what it says. {len(groups)} groups of equal size."
    return Plot("Calibration", caption, drawing.svg)


def predicted_against_actual(outcome: Outcome, target: str) -> Plot:
    """A dot per row, the diagonal is perfect."""
    rows = _some(len(outcome))
    low = float(min(outcome.truth[rows].min(), outcome.predicted[rows].min()))
    high = float(max(outcome.truth[rows].max(), outcome.predicted[rows].max()))
    with canvas("Predicted against actual") as drawing:
        drawing.axes.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        _cloud(drawing.axes, outcome.truth[rows], outcome.predicted[rows])
        drawing.axes.set(xlabel=f"actual {_cut(target)}", ylabel="predicted")
        drawing.axes.grid(True)
    return Plot("Predicted against actual", "On the dashes, the prediction is right." + _dots(outcome), drawing.svg)


def residuals(outcome: Outcome, target: str) -> Plot:
    """Actual minus predicted, against predicted."""
    rows = _some(len(outcome))
    with canvas("Residuals") as drawing:
        drawing.axes.axhline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        _cloud(drawing.axes, outcome.predicted[rows], (outcome.truth - outcome.predicted)[rows])
        drawing.axes.set(xlabel=f"predicted {_cut(target)}", ylabel="actual minus predicted")
        drawing.axes.grid(True)
    return Plot("Residuals", "A pattern here is something the model has not learnt." + _dots(outcome), drawing.svg)


def importances(found: Importances) -> Plot:
    """A bar per feature, the most important above."""
    shown = found.features[:_BARS]
    with canvas("Feature importance", 9.4, 0.75 + 0.27 * len(shown)) as drawing:
        axes = drawing.axes
        height = drawing.figure.get_figheight()
        axes.set_position((0.22, 0.5 / height, 0.75, 1 - 0.6 / height))
        places = range(len(shown), 0, -1)
        axes.barh(places, [item.loss for item in shown], color=ACCENT, alpha=0.85, height=0.62)
        for place, item in zip(places, shown, strict=True):
            axes.plot([item.loss - item.spread, item.loss + item.spread], [place, place], color=INK, linewidth=1)
        axes.set_yticks(list(places), [_cut(item.feature, 28) for item in shown], color=INK)
        axes.set(
            xlabel=f"rise of the error ({found.metric}) when the feature is shuffled", ylim=(0.4, len(shown) + 0.6)
        )
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
        axes.spines["left"].set_visible(False)
    how = f"on {found.rows:,} holdout rows, {found.repeats} shuffles each"
    caption = f"Permutation importance {how}; the lines are one standard deviation."
    if len(shown) < len(found.features):
        caption += f" The first {len(shown)} of {len(found.features)} features."
    return Plot("Feature importance", caption, drawing.svg)


def _curves(outcome: Outcome, labels: Sequence[str]) -> list[tuple[str, Ranking, float, str]]:
    """Name, ranking, share and colour of the classes that get a curve: the second of two, or the most frequent ones."""
    frequent = np.argsort(-np.bincount(outcome.truth, minlength=len(labels)), kind="stable")[:_CURVES]
    codes = [1] if len(labels) == 2 else sorted(frequent.tolist())
    return [
        (_cut(labels[code]), outcome.rankings[code], float((outcome.truth == code).mean()), SERIES[place])
        for place, code in enumerate(codes)
        if (outcome.truth == code).any() and (outcome.truth != code).any()
    ]


def _cumulated(ranking: Ranking) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Positive and negative rows at or above each threshold, from none to all."""
    (positive,), (every,) = ranking.climb(np.ones((1, ranking.rows)))
    return np.concatenate(([0], positive)), np.concatenate(([0], every - positive))


def _thinned(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """At most about `_POINTS` points, evenly along the curve, the ends among them."""
    way = np.concatenate(([0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], _POINTS)).clip(0, len(x) - 1))
    kept = np.union1d(kept, [0, len(x) - 1]) if len(x) > _POINTS else np.arange(len(x))
    return x[kept], y[kept]


def _unit_square(axes: Any, x: str, y: str, classes: int, legend: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04), xlabel=x, ylabel=y)
    axes.grid(True)
    if classes > 2:
        axes.legend(loc=legend, labelcolor=INK, frameon=True, facecolor=CARD, edgecolor="none", framealpha=0.85)


def _cloud(axes: Any, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> None:
    axes.plot(x, y, linestyle="none", marker="o", markersize=4, markeredgewidth=0, color=ACCENT, alpha=0.45)


def _some(count: int) -> npt.NDArray[Any]:
    return np.linspace(0, count - 1, min(count, _DOTS)).astype(int)


def _dots(outcome: Outcome) -> str:
    return f" {_DOTS:,} of {len(outcome):,} rows." if len(outcome) > _DOTS else ""


def _positive(labels: Sequence[str]) -> str:
    """Which of two classes a curve is about."""
    return f" A claim is “{_cut(labels[1])}”." if len(labels) == 2 else ""


def _more(labels: Sequence[str]) -> str:
    return f" The {_CURVES} most frequent of {len(labels)} classes." if len(labels) > _CURVES else ""


def _cut(text: str, length: int = 18) -> str:
    """At most `length` letters, the middle left out: what tells names apart stands at either end."""
    if len(text) <= length:
        return text
    head = length // 2
    return f"{text[:head]}…{text[len(text) - (length - head - 1) :]}"
