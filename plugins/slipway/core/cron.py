"""When a model file's schedule may run: Airflow's presets, and cron expressions of five fields.

Airflow checks an expression only when it has the whole DAG file in hand, and then blames that file for it, with all models in
it. So the same is asked here, where the line of the model file is known.
"""

from __future__ import annotations

import re

# Without @continuous: its runs have no interval, so nothing could tell which of two is newer, and no backfill could be made.
PRESETS = ("@once", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ITEM = re.compile(r"(?P<low>\w+)(-(?P<high>\w+))?(/(?P<step>\d+))?|\*(/(?P<every>\d+))?")


class _Field:
    """One field of an expression: its bounds, the names that stand for numbers from the lower bound on, and special signs."""

    def __init__(
        self, name: str, low: int, high: int, names: tuple[str, ...] = (), signs: tuple[str, ...] = ()
    ) -> None:
        self.name, self._low, self._high, self._signs = name, low, high, signs
        self._numbers = {name: low + place for place, name in enumerate(names)}

    def check(self, text: str) -> None:
        """Raises ValueError: `text` is no list of numbers, ranges and steps within the bounds."""
        for item in text.lower().split(",") if text.lower() not in self._signs else ():
            match = _ITEM.fullmatch(item)
            values = [match[group] for group in ("low", "high") if match[group]] if match else []
            steps = [match[group] for group in ("step", "every") if match[group]] if match else []
            if not match or "0" in steps or not all(self._holds(value) for value in values):
                raise ValueError(f"{self.name} of {self._low} to {self._high}, not {text!r}")

    def _holds(self, value: str) -> bool:
        number = self._numbers.get(value, int(value) if value.isascii() and value.isdigit() else -1)
        return self._low <= number <= self._high


_FIELDS = (
    _Field("a minute", 0, 59),
    _Field("an hour", 0, 23),
    _Field("a day of the month", 1, 31, signs=("?", "l")),
    _Field("a month", 1, 12, _MONTHS),
    _Field("a day of the week", 0, 7, _DAYS, signs=("?", *(f"{day}#{week}" for day in _DAYS for week in range(1, 6)))),
)


def check_schedule(text: str) -> str:
    """The schedule as it is. Raises ValueError, which says what is allowed, on one that Airflow could not run."""
    parts = text.split()
    if text in PRESETS:
        return text
    if len(parts) != len(_FIELDS):
        raise ValueError(f"a cron expression of five fields, or one of {', '.join(PRESETS)}")
    for field, part in zip(_FIELDS, parts, strict=True):
        field.check(part)
    return text
