"""The metrics: which there are, which way is better, which fit a model, what a gate may ask for. No numpy until used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.core.bundle import Task
from slipway.core.errors import ConfigurationError, RejectedError
from slipway.core.release import Interval

if TYPE_CHECKING:
    from slipway.training.bootstrap import Score
    from slipway.training.outcome import Outcome

DEFAULT_METRIC: dict[Task, str] = {"classification": "accuracy", "regression": "r2"}


@dataclass(frozen=True)
class Metric:
    """One metric; `weighted_scores` has a function of its name.

    `needs_probabilities` and `binary_only` say for which classifiers it exists.
    """

    name: str
    label: str
    task: Task
    higher_is_better: bool
    needs_probabilities: bool = False
    binary_only: bool = False

    def fits(self, *, has_probabilities: bool, class_count: int | None) -> bool:
        """Whether a model of the metric's task has it; None: the number of classes is not known yet."""
        enough = has_probabilities or not self.needs_probabilities
        return enough and (not self.binary_only or class_count in {2, None})

    def prepare(self, outcome: Outcome) -> Score:
        """The metric of `outcome` as a function of row weights."""
        from slipway.training import weighted_scores

        score: Score = getattr(weighted_scores, self.name)(outcome)
        return score


_LISTED = (
    Metric("accuracy", "Accuracy", "classification", True),
    Metric("balanced_accuracy", "Balanced accuracy", "classification", True),
    Metric("f1_macro", "F1 (macro)", "classification", True),
    Metric("roc_auc", "ROC AUC", "classification", True, needs_probabilities=True),
    Metric("pr_auc", "PR AUC", "classification", True, needs_probabilities=True, binary_only=True),
    Metric("log_loss", "Log loss", "classification", False, needs_probabilities=True),
    Metric("brier", "Brier score", "classification", False, needs_probabilities=True, binary_only=True),
    Metric("r2", "R²", "regression", True),
    Metric("rmse", "RMSE", "regression", False),
    Metric("mae", "MAE", "regression", False),
)
METRICS = {metric.name: metric for metric in _LISTED}


def get_metric(name: str | None, task: Task, *, has_probabilities: bool, class_count: int | None = None) -> Metric:
    """The gate's metric for such a model; pure, so it can be asked before any work is done.

    Args:
        name: as the model file says; None means accuracy or r2.
        task: of the model.
        has_probabilities: whether the model gives probabilities.
        class_count: None when not known yet.

    Raises:
        ConfigurationError: there is no such metric for such a model.
    """
    fitting = [
        metric
        for metric in METRICS.values()
        if metric.task == task and metric.fits(has_probabilities=has_probabilities, class_count=class_count)
    ]
    chosen = name or DEFAULT_METRIC[task]
    if found := next((metric for metric in fitting if metric.name == chosen), None):
        return found
    raise ConfigurationError(
        "could not use gate.metric",
        on=chosen,
        why=_misfit(METRICS.get(chosen), task, has_probabilities),
        fix=f"Allowed for this model: {', '.join(metric.name for metric in fitting)}.",
    )


def _misfit(metric: Metric | None, task: Task, has_probabilities: bool) -> str:
    if metric is None:
        return "there is no such metric"
    if metric.task != task:
        return f"it is a metric for {metric.task}, and this model does {task}"
    if metric.needs_probabilities and not has_probabilities:
        return "it needs probabilities, which this estimator does not give"
    return "it is for two classes, and this target has more"


def measure(outcome: Outcome, task: Task, seed: int) -> dict[str, Interval]:
    """Every metric that fits the model, with its 95 % interval; one that the rows leave undefined is left out."""
    from slipway.training.bootstrap import estimate

    has_probabilities = outcome.probabilities is not None
    fitting = {
        metric.name: metric.prepare(outcome)
        for metric in METRICS.values()
        if metric.task == task and metric.fits(has_probabilities=has_probabilities, class_count=outcome.class_count)
    }
    found = estimate(fitting, len(outcome), seed, outcome.class_count)
    return {name: interval for name, interval in found.items() if interval is not None}


def undefined(metric: str, rows: int) -> RejectedError:
    """The error for a gate whose metric the holdout rows leave undefined."""
    return RejectedError(
        "could not measure the model by gate.metric",
        on=metric,
        why=f"it is undefined on these {rows} holdout rows, for example because the target is the same in all of them",
        fix="Give more rows, raise train.holdout, or choose another gate.metric.",
    )
