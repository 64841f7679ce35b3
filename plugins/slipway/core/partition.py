"""Partitions: which slice of the data a run is about, and which of two is newer."""

from __future__ import annotations

from datetime import UTC, datetime


def normalise_partition(text: str) -> str:
    """One spelling per partition: a time becomes ISO 8601 in UTC to the microsecond, another key stays as it is.

    >>> normalise_partition("2013-01-05T00:00:00+00:00")
    '2013-01-05T00:00:00Z'
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat().replace("+00:00", "Z")


def is_older(partition: str, than: str) -> bool:
    """Whether `partition` lies before `than`; times by time, other keys by text."""
    return partition_order(partition) < partition_order(than)


def partition_order(text: str) -> tuple[int, str]:
    """A sort key: times by time, then other keys by text."""
    # Fixed-width microseconds make the text order the time order; times sort before free keys, so mixing is at least stable.
    try:
        return 0, datetime.fromisoformat(normalise_partition(text)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    except ValueError:
        return 1, text
