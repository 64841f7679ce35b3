"""The form behind the Trigger button of a model's DAG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param

if TYPE_CHECKING:
    from slipway.core.model_file import ModelFile


def trigger_form(model: ModelFile) -> dict[str, Param]:
    """What the Trigger button asks."""
    return {
        "dataset_uri": Param(
            None,
            type=["null", "string"],
            title="Dataset",
            description=f"Deliver from this file instead of {model.dataset.uri}; a path, s3://, gs:// or https://.",
        ),
        "deploy": Param(
            "newer",
            enum=["never", "newer", "force"],
            title="Deploy",
            description="newer: if the partition is newer than the champion's and the gate passes. never: measure only. "
            "force: deploy whatever was measured.",
        ),
        "reason": Param(
            None,  # a form whose text must not be empty cannot be sent before something is typed
            type=["null", "string"],
            title="Reason",
            maxLength=500,
            description="Why this run was started by hand; kept in the release record.",
        ),
    }
