"""A schedule that has an end: past data is there for backfills and runs by hand, and no run is scheduled after it.

A DAG's own `end_date` does more than that: it also keeps the tasks of a run by hand, whose date is today's, from ever
starting. Airflow finds this class through `slipway_plugin.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable
from pendulum import instance, parse


class BoundedCronTimetable(CronTriggerTimetable):
    """Runs at the times of a cron expression, in UTC, up to and including `last`."""

    def __init__(self, expression: str, last: datetime) -> None:
        super().__init__(expression, timezone="UTC")
        self._last = instance(last)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """None once the next run would be later than the last one."""
        latest = min(self._last, restriction.latest or self._last)
        bounded = TimeRestriction(restriction.earliest, latest, restriction.catchup)
        return super().next_dagrun_info(last_automated_data_interval=last_automated_data_interval, restriction=bounded)

    def serialize(self) -> dict[str, Any]:
        """What `deserialize` makes it of again."""
        return {"expression": self._expression, "last": self._last.isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> BoundedCronTimetable:
        """From what `serialize` made."""
        return cls(data["expression"], parse(data["last"]))
