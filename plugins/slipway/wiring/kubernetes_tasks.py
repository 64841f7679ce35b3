"""The tasks of a model that is served from a Kubernetes cluster; how many depends on the strategy of its rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipway.rollout.kubernetes.operators import (
    PlanRolloutOperator,
    RestoreKubernetesOperator,
    RetirePreviousOperator,
    RollOutKubernetesOperator,
    ShiftTrafficOperator,
    StartPreviewOperator,
)
from slipway.verification.cluster_operators import AnalyseVersionOperator, VerifyServiceOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, XComArg

    from slipway.core.kubernetes_section import Analysis, KubernetesTarget
    from slipway.core.model_file import ModelFile


def rollout_tasks(model: ModelFile, target: KubernetesTarget, given: dict[str, Any]) -> list[BaseOperator]:
    """The plan, the strategy's steps with their analyses, and last the task that gives the new version all of the traffic."""
    made = {"target": target, "access": model.access, **given}
    plan_kubernetes = PlanRolloutOperator(task_id="plan_kubernetes", **made)
    steps = _steps(target, made)
    return [plan_kubernetes, *steps, RollOutKubernetesOperator(task_id="roll_out_kubernetes", **made)]


def _steps(target: KubernetesTarget, made: dict[str, Any]) -> list[BaseOperator]:
    strategy = target.strategy
    if strategy is None:
        return []
    if strategy.blue_green:
        start_preview = StartPreviewOperator(task_id="start_preview", **made)
        return [start_preview, _analysis_task("analyse_preview", start_preview, strategy.blue_green.analysis, made)]
    steps: list[BaseOperator] = []
    for percent in strategy.canary.steps:
        shift = ShiftTrafficOperator(task_id=f"shift_traffic_{percent}", percent=percent, **made)
        steps += [shift, _analysis_task(f"analyse_canary_{percent}", shift, strategy.canary.analysis, made)]
    return steps


def _analysis_task(task_id: str, shift: BaseOperator, analysis: Analysis, made: dict[str, Any]) -> BaseOperator:
    """Whether the new version does well with the traffic that it was given."""
    given = {name: value for name, value in made.items() if name not in {"decision", "image"}}
    return AnalyseVersionOperator(task_id=task_id, shift=shift.output, analysis=analysis, **given)


def verification_task(
    task_id: str,
    model: ModelFile,
    target: KubernetesTarget,
    rollout: BaseOperator,
    bundle: XComArg,
    where: dict[str, Any],
) -> BaseOperator:
    """The golden rows, through the address that users have."""
    made = {"target": target, "access": model.access, "rollout": rollout.output, "bundle": bundle, **where}
    return VerifyServiceOperator(task_id=task_id, **made)


def restore_tasks(
    model: ModelFile, target: KubernetesTarget, where: dict[str, Any], run: dict[str, Any]
) -> list[BaseOperator]:
    """Bring the champion back, and see that it answers."""
    made = {"target": target, "access": model.access}
    restore_kubernetes = RestoreKubernetesOperator(task_id="restore_kubernetes", **made, **run)
    verify_restored = VerifyServiceOperator(
        task_id="verify_restored", restored=restore_kubernetes.output, **made, **where
    )
    return [restore_kubernetes, verify_restored]


def retirement_tasks(
    model: ModelFile, target: KubernetesTarget, rollout: BaseOperator, run: dict[str, Any]
) -> list[BaseOperator]:
    """A blue-green rollout keeps what served before until the promotion, for an instant way back."""
    if target.strategy_kind != "blue_green":
        return []
    made = {"target": target, "access": model.access, "rollout": rollout.output, **run}
    return [RetirePreviousOperator(task_id="retire_previous", **made)]
