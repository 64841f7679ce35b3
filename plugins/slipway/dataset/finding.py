"""What is wrong with a dataset: rows counted while they stream by, and one line of text per broken rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slipway.core.errors import RejectedError
from slipway.table.rows import IntArray, cut

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_ROWS = 5
FORMAT = "the file format"
TRAINING = "what training needs"


@dataclass
class Tally:
    """How many rows broke one rule, the first five row numbers, and what stood in the first."""

    count: int = 0
    rows: list[int] = field(default_factory=list)
    found: str = ""

    def add(self, numbers: IntArray, positions: IntArray, array: Any) -> None:
        """Count the rows at `positions` of a batch with the row numbers `numbers` and the column `array`."""
        if not len(positions):
            return
        if not self.count:
            self.found = shown(array[int(positions[0])].as_py())
        self.count += len(positions)
        self.rows.extend(numbers[positions[: SHOWN_ROWS - len(self.rows)]].tolist())

    def note(self, row: int, found: str) -> None:
        """Count one row."""
        self.found = self.found or found
        self.count += 1
        self.rows.extend([row] if len(self.rows) < SHOWN_ROWS else [])

    def __str__(self) -> str:
        if self.count == 1:
            return f"{self.found} in row {self.rows[0]}"
        more = ", ..." if self.count > len(self.rows) else ""
        return f"{self.found} in {self.count} rows ({', '.join(map(str, self.rows))}{more})"


@dataclass(frozen=True)
class Finding:
    """One broken rule.

    Args:
        subject: the column, or ``file``.
        rule: its short name.
        found: what was found; a `Tally` names the rows.
        allowed: what would have passed, or what to do.
        source: who made the rule.
    """

    subject: str
    rule: str
    found: Tally | str
    allowed: str
    source: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.rule}: found {self.found}, allowed: {self.allowed} (from {self.source})"


def shown(value: Any) -> str:
    """A value for people: text in quotes, at most 40 characters of it."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return cut(value)
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def rejection(uri: str, findings: Iterable[Finding]) -> RejectedError:
    """All findings as one error, one per line."""
    lines = [f"  {finding}" for finding in findings]
    broken = "1 rule is broken" if len(lines) == 1 else f"{len(lines)} rules are broken"
    return RejectedError(
        "could not accept the dataset",
        on=uri,
        why="\n".join([f"{broken}, nothing was stored:", *lines, "Rows are counted from 1 without the header"]),
        fix="Correct the data at its source, or the rule that is named.",
    )
