"""What Airflow must know of Slipway by registration; everything else it finds through the DAG files."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from slipway.wiring.timetable import BoundedCronTimetable


class SlipwayPlugin(AirflowPlugin):
    """Registers the timetable of model files that have an `end_date`."""

    name = "slipway"
    timetables = [BoundedCronTimetable]  # noqa: RUF012  Airflow reads a list
