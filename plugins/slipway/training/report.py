"""`report.html`: one self-contained page about one model, for people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from slipway.core.bundle import Metadata
from slipway.training import plots
from slipway.training.bootstrap import draw_count
from slipway.training.fit_record import FitRecord
from slipway.training.importance import Importances
from slipway.training.job import TrainingJob
from slipway.training.metrics import METRICS
from slipway.training.outcome import Outcome

_TEMPLATE = Path(__file__).with_name("report.html.j2")
_TILES = {"classification": ("accuracy", "roc_auc", "log_loss"), "regression": ("r2", "rmse", "mae")}


@dataclass(frozen=True)
class Evaluation:
    """All that the page tells."""

    job: TrainingJob
    record: FitRecord
    metadata: Metadata
    outcome: Outcome
    importances: Importances


def render_report(evaluation: Evaluation) -> str:
    """The page. Every text that comes from the dataset or the model file is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": _number, "share": _share, "bars": _bars}
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    record, outcome, metadata = evaluation.record, evaluation.outcome, evaluation.metadata
    labels = [_spelled(name) for name in record.classes or ()]
    names = [name for name in METRICS if name in metadata.metrics]
    return template.render(
        job=evaluation.job,
        record=record,
        metadata=metadata,
        labels=labels,
        tiles=[name for name in _TILES[record.task] if name in names] or names[:3],
        metrics=[(METRICS[name], metadata.metrics[name]) for name in names],
        plots=[_marked(plot) for plot in plots.draw(outcome, labels, record.target)],
        importances=_marked(plots.importances(evaluation.importances)),
        draws=draw_count(len(outcome), outcome.class_count),
        majority=_majority(outcome),
    )


def _marked(plot: plots.Plot) -> dict[str, Any]:
    # The SVG is the only thing on the page that is not escaped; matplotlib escapes the texts within it.
    return {"title": plot.title, "caption": plot.caption, "svg": Markup(plot.svg)}  # noqa: S704


def _majority(outcome: Outcome) -> float | None:
    """The accuracy of always naming the most frequent class: what a model must beat."""
    if not outcome.class_count:
        return None
    counts = [int((outcome.truth == code).sum()) for code in range(outcome.class_count)]
    return max(counts) / len(outcome)


def _spelled(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _number(value: float) -> str:
    """Four significant digits; large numbers with thousands separated, very large ones as a power of ten.

    >>> [_number(value) for value in (0.93333, 12345.6, 3, 0, 4.13576e13)]
    ['0.9333', '12,346', '3', '0', '4.136e13']
    """
    if abs(value) >= 1e9:
        digits, _, power = f"{value:.3e}".partition("e+")
        return f"{digits}e{int(power)}"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def _share(part: float, whole: float) -> str:
    percent = 100 * part / whole if whole else 0
    return "under 0.1 %" if 0 < percent < 0.1 else f"{percent:.1f} %".replace(".0 %", " %")


def _bars(counts: list[int]) -> list[float]:
    """Heights between 0 and 1 for a small histogram; a count above zero stays visible."""
    most = max(counts) or 1
    return [max(count / most, 0.04) if count else 0 for count in counts]
