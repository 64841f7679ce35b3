"""When a model's DAG runs, as Airflow wants to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slipway.core.model_file import ModelFile


def schedule_of(model: ModelFile) -> Any:
    """The model file's schedule, as far as its end."""
    if model.schedule is None or model.last_partition is None:
        return model.schedule
    from slipway.wiring.timetable import BoundedCronTimetable

    return BoundedCronTimetable(model.schedule, model.last_partition)
