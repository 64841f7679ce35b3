"""The tasks that make a version's image: as many as the model file declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipway.image.operators import BuildImageOperator, EnsureBaseImageOperator, VerifyImageOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, XComArg

    from slipway.core.model_file import ModelFile


def image_tasks(model: ModelFile, bundle: XComArg, decision: XComArg, run: dict[str, Any]) -> list[BaseOperator]:
    """Base, image and the look at its signature, for what the model file says about images."""
    if model.image is None:
        return []
    made = {"image": model.image, "bundle": bundle, "decision": decision, **run}
    ensure_base_image = EnsureBaseImageOperator(task_id="ensure_base_image", **made)
    build_image = BuildImageOperator(
        task_id="build_image", base=ensure_base_image.output, description=model.description, **made
    )
    if model.image.signing_conn_id is None:
        return [ensure_base_image, build_image]
    return [
        ensure_base_image,
        build_image,
        VerifyImageOperator(task_id="verify_image", built=build_image.output, **made),
    ]


def image_of(images: list[BaseOperator]) -> XComArg | None:
    """What build_image returned."""
    return images[1].output if images else None
