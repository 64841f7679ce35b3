"""The names a gate may measure by, so that a misspelt one fails when the model file is read; `training/metrics.py` has them."""

from __future__ import annotations

from typing import Literal, get_args

ClassificationMetric = Literal["accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "pr_auc", "log_loss", "brier"]
RegressionMetric = Literal["r2", "rmse", "mae"]
MetricName = Literal[ClassificationMetric, RegressionMetric]

METRIC_NAMES: dict[str, tuple[str, ...]] = {
    "classification": get_args(ClassificationMetric),
    "regression": get_args(RegressionMetric),
}
