"""Events of a cluster, in each of the forms that they come in: core/v1 with counts, with series, and events.k8s.io/v1."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from slipway.rollout.kubernetes.judgement.api_object import Json, field, find_number, find_time, text
from slipway.rollout.kubernetes.judgement.patience import Clock

_CONTAINER = re.compile(r"\{(.+)\}")
_COMBINED = "(combined from similar events): "
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

# One event has several of these, depending on who wrote it, and null in the others.
_FIRST = (("firstTimestamp",), ("deprecatedFirstTimestamp",), ("eventTime",), ("metadata", "creationTimestamp"))
_LAST = (("series", "lastObservedTime"), ("lastTimestamp",), ("deprecatedLastTimestamp",), *_FIRST)
_COUNT = (("series", "count"), ("count",), ("deprecatedCount",))


@dataclass(frozen=True)
class Event:
    """One event: about which object, what, how often, from when to when."""

    kind: str
    name: str
    uid: str
    container: str
    reason: str
    message: str
    count: int
    first: datetime | None
    last: datetime | None

    @classmethod
    def parse(cls, obj: Json) -> Event:
        """Read an event; `container` is empty unless it is about one."""
        about = field(obj, "involvedObject") or field(obj, "regarding")
        within = _CONTAINER.search(text(about, "fieldPath"))
        times = [time for path in _LAST if (time := find_time(obj, *path))]
        return cls(
            kind=text(about, "kind"),
            name=text(about, "name"),
            uid=text(about, "uid"),
            container=within[1] if within else "",
            reason=text(obj, "reason"),
            message=(text(obj, "message") or text(obj, "note")).removeprefix(_COMBINED),
            count=next((count for path in _COUNT if (count := find_number(obj, *path))), 1),
            first=next((time for path in _FIRST if (time := find_time(obj, *path))), None),
            last=max(times, default=None),
        )

    def is_about(self, kind: str, obj: Json) -> bool:
        """Whether it is about that object; by name only where a uid is missing, as names are used again."""
        uid = text(obj, "metadata", "uid")
        if self.uid and uid:
            return self.uid == uid
        return bool(self.name) and (self.kind, self.name) == (kind, text(obj, "metadata", "name"))


class Events:
    """The events of this rollout; what an earlier one left behind is not among them."""

    def __init__(self, objs: Iterable[Json], clock: Clock) -> None:
        events = [Event.parse(obj) for obj in objs]
        ours = [event for event in events if clock.is_of_this_rollout(event.last)]
        self._events = sorted(ours, key=lambda event: (event.last or _LONG_AGO, event.message, event.count))

    def about(self, kind: str, obj: Json, *reasons: str) -> list[Event]:
        """Those about one object with one of these reasons, the newest last."""
        return [event for event in self._events if event.reason in reasons and event.is_about(kind, obj)]
