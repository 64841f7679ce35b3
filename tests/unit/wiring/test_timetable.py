"""A schedule with an end: past partitions for a backfill, none scheduled after it, and Airflow's serialiser knows it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.sdk import CronTriggerTimetable
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import TimeRestriction
from pendulum import datetime as moment

from slipway.core.errors import ConfigurationError
from slipway.core.model_file import parse_model_file
from slipway.wiring.schedule import schedule_of
from slipway.wiring.timetable import BoundedCronTimetable

LAST = datetime(2013, 12, 31, tzinfo=UTC)
MODEL = "model: m\nstore: s3://s\ndataset: {uri: s3://i/x.csv, target: y}\ntrain: {estimator: a.B}\n"


def test_no_run_is_scheduled_after_the_last_partition() -> None:
    timetable = BoundedCronTimetable("@daily", LAST)
    restriction = TimeRestriction(moment(2013, 1, 1), None, catchup=False)
    assert timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction) is None


def test_a_schedule_whose_end_is_to_come_runs() -> None:
    timetable = BoundedCronTimetable("@daily", datetime(2999, 1, 1, tzinfo=UTC))
    restriction = TimeRestriction(moment(2013, 1, 1), None, catchup=False)
    assert timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction) is not None


def test_a_backfill_gets_every_partition_up_to_the_last() -> None:
    timetable = BoundedCronTimetable("@daily", LAST)
    restriction = TimeRestriction(moment(2013, 12, 29), moment(2014, 1, 3), catchup=True)
    found, interval = [], None
    while info := timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction):
        interval = info.data_interval
        found.append(interval.start)
    assert found == [moment(2013, 12, day) for day in (29, 30, 31)]


def test_a_scheduled_run_has_the_partition_of_a_run_by_hand_of_that_date() -> None:
    timetable = BoundedCronTimetable("@daily", LAST)
    restriction = TimeRestriction(moment(2013, 1, 5), None, catchup=True)
    scheduled = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert scheduled is not None
    assert scheduled.data_interval == timetable.infer_manual_data_interval(run_after=moment(2013, 1, 5))
    assert scheduled.data_interval.end == scheduled.logical_date == moment(2013, 1, 5)


def test_airflow_stores_it_and_finds_it_again() -> None:
    again = decode_timetable(encode_timetable(BoundedCronTimetable("@daily", LAST)))
    assert isinstance(again, BoundedCronTimetable)
    assert again.serialize() == BoundedCronTimetable("@daily", LAST).serialize()


def test_a_model_file_without_an_end_runs_at_the_times_of_its_schedule() -> None:
    text = MODEL + 'schedule: "@daily"\nstart_date: 2013-01-01\n'
    assert schedule_of(parse_model_file(text, "m.yaml")) == CronTriggerTimetable("@daily", timezone="UTC")
    bounded = schedule_of(parse_model_file(text + "end_date: 2013-12-31\n", "m.yaml"))
    assert bounded.serialize() == {"expression": "0 0 * * *", "last": "2013-12-31T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("lines", "allowed"),
    [
        ("end_date: 2013-12-31\n", "an end_date together with a cron schedule"),
        (
            'schedule: "@once"\nstart_date: 2013-01-01\nend_date: 2013-12-31\n',
            "an end_date together with a cron schedule",
        ),
        (
            'schedule: "@daily"\nstart_date: 2013-01-02\nend_date: 2013-01-01\n',
            "an end_date that is not before the start_date",
        ),
    ],
)
def test_an_end_that_cannot_be_is_an_error(lines: str, allowed: str) -> None:
    with pytest.raises(ConfigurationError, match=allowed):
        parse_model_file(MODEL + lines, "m.yaml")
