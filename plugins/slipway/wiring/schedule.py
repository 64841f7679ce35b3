"""When a model's DAG runs, as Airflow wants to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import CronTriggerTimetable

if TYPE_CHECKING:
    from slipway.core.model_file import ModelFile


def schedule_of(model: ModelFile) -> Any:
    """The model file's schedule, as far as its end.

    Said by a timetable, not by the bare cron text: what Airflow makes of that is a setting (`create_cron_data_intervals`),
    and a scheduled run would then have another partition than a run by hand of the same date.
    """
    if model.schedule is None or model.schedule == "@once":
        return model.schedule
    if model.last_partition is None:
        return CronTriggerTimetable(model.schedule, timezone="UTC")
    from slipway.wiring.timetable import BoundedCronTimetable

    return BoundedCronTimetable(model.schedule, model.last_partition)
