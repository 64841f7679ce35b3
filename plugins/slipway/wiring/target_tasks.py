"""The tasks that bring a model into service, verify and undo that: for each kind of target its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipway.rollout.docker.operators import RestoreDockerOperator, RollOutDockerOperator
from slipway.rollout.process.operators import RestoreProcessOperator, RollOutProcessOperator
from slipway.verification.operators import VerifyEndpointOperator

if TYPE_CHECKING:
    from types import ModuleType

    from airflow.sdk import BaseOperator, XComArg

    from slipway.core.deploy_section import Deployment
    from slipway.core.model_file import ModelFile

_ROLL_OUT = {"process": RollOutProcessOperator, "docker": RollOutDockerOperator}
_RESTORE = {"process": RestoreProcessOperator, "docker": RestoreDockerOperator}


def rollout_tasks(model: ModelFile, deployment: Deployment, given: dict[str, Any]) -> list[BaseOperator]:
    """The tasks that bring a model into service on one target; the last one's result says where."""
    if deployment.kubernetes:
        return _kubernetes_tasks().rollout_tasks(model, deployment.kubernetes, given)
    return [_target_task(_ROLL_OUT, model, deployment, "roll_out", given)]


def restore_tasks(
    model: ModelFile, deployment: Deployment, where: dict[str, Any], run: dict[str, Any]
) -> list[BaseOperator]:
    """The tasks that bring the champion back into service on one target."""
    if deployment.kubernetes:
        return _kubernetes_tasks().restore_tasks(model, deployment.kubernetes, where, run)
    return [_target_task(_RESTORE, model, deployment, "restore", run)]


def verification_task(
    model: ModelFile, deployment: Deployment, rollout: BaseOperator, bundle: XComArg, where: dict[str, Any]
) -> BaseOperator:
    """The golden rows, through the address that users have."""
    task_id = "verify_endpoint" if len(model.deploy) == 1 else f"verify_{deployment.kind}"
    if deployment.kubernetes:
        return _kubernetes_tasks().verification_task(task_id, model, deployment.kubernetes, rollout, bundle, where)
    return VerifyEndpointOperator(
        task_id=task_id,
        bundle=bundle,
        access=model.access,
        endpoint=f"{{{{ ti.xcom_pull(task_ids='{rollout.task_id}')['endpoint'] }}}}",
        **where,
    )


def retirement_tasks(model: ModelFile, rollouts: list[BaseOperator], run: dict[str, Any]) -> list[BaseOperator]:
    """What may go once the run was promoted."""
    return [
        task
        for deployment, rollout in zip(model.deploy, rollouts, strict=True)
        if deployment.kubernetes
        for task in _kubernetes_tasks().retirement_tasks(model, deployment.kubernetes, rollout, run)
    ]


def _kubernetes_tasks() -> ModuleType:
    """Imported for the models that need it: the page on which a person answers takes long to import."""
    from slipway.wiring import kubernetes_tasks

    return kubernetes_tasks


def _target_task(
    kinds: dict[str, Any], model: ModelFile, deployment: Deployment, verb: str, given: dict[str, Any]
) -> BaseOperator:
    """The task that brings a model into service on one target, or undoes that; an image is only a container's concern."""
    kind = deployment.kind
    if kind == "docker":
        given = {**given, "registry_conn_id": model.image.conn_id}
    else:
        given = {name: value for name, value in given.items() if name != "image"}
    return kinds[kind](task_id=f"{verb}_{kind}", target=getattr(deployment, kind), access=model.access, **given)
