"""One column, batch by batch, against a rule whose type is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from slipway.core.column import Column, ColumnType
from slipway.dataset.distinct import DistinctCount
from slipway.dataset.finding import TRAINING, Finding, Tally
from slipway.table.values import Numbers, booleans, is_scalar, numbers, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slipway.dataset.rules import Expectation
    from slipway.table.rows import FloatArray, IntArray

FLOAT32_MAX = float(np.finfo(np.float32).max)
INTEGER_MAX = 2.0**53  # beyond it, two integers may be the same float64
ALLOWED = {"number": "a number", "integer": "an integer", "boolean": "true or false", "category": "text"}


class ColumnCheck(Protocol):
    """What every check of a column offers."""

    def feed(self, rows: IntArray, array: Any) -> None:
        """Look at the values of one batch, whose row numbers are `rows`."""

    def findings(self) -> Iterator[Finding]:
        """What was wrong, once all batches are fed."""

    def settled(self) -> Column:
        """The column with its type."""


class TypedCheck:
    """What the checks share: nulls, values of another type, a target that never varies."""

    def __init__(self, expected: Expectation, kind: ColumnType, *, is_target: bool) -> None:
        self.expected, self.type, self.is_target = expected, kind, is_target
        self.nulls, self.bad = Tally(), Tally()

    def findings(self) -> Iterator[Finding]:
        """What was wrong."""
        expected = self.expected
        if self.bad.count:
            yield self.finding("type", self.bad, ALLOWED[self.type], expected.type_source)
        if self.nulls.count and self.is_target:
            yield self.finding("nullable", self.nulls, "a value; the target is never null", TRAINING)
        elif self.nulls.count and not expected.rule.nullable:
            yield self.finding("nullable", self.nulls, "a value; `nullable: true` would allow null")
        if self.is_target and (only := self.only_value()) is not None:
            yield self.finding("one class", f"only the value {only}", "a target that varies", TRAINING)

    def finding(self, rule: str, found: Tally | str, allowed: str, source: str | None = None) -> Finding:
        """A finding on this column."""
        return Finding(self.expected.name, rule, found, allowed, source or self.expected.source)

    def only_value(self) -> str | None:
        """The value all rows have, or None if they vary or there are none."""
        raise NotImplementedError

    def settled(self) -> Column:
        """The column."""
        rule = self.expected.rule.model_dump(exclude={"type"})
        return Column(name=self.expected.name, type=self.type, **rule)


class NumberCheck(TypedCheck):
    """Numbers and integers: within the declared range, and within what serving's float32 can hold."""

    def __init__(self, expected: Expectation, kind: ColumnType, *, is_target: bool) -> None:
        super().__init__(expected, kind, is_target=is_target)
        self.low, self.high = np.inf, -np.inf
        self._below, self._above, self._huge = Tally(), Tally(), Tally()

    def feed(self, rows: IntArray, array: Any) -> None:
        """Look at one batch."""
        found = self._read(array)
        self.nulls.add(rows, found.nulls, array)
        self.bad.add(rows, found.bad, array)
        values = found.values
        if len(found.nulls) + len(found.bad) == len(values):
            return
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._check_range(rows, array, values, (low, high))
        if self.type == "integer":
            self.bad.add(rows, np.flatnonzero((np.trunc(values) != values) & ~np.isnan(values)), array)

    def _check_range(self, rows: IntArray, array: Any, values: FloatArray, extremes: tuple[float, float]) -> None:
        minimum, maximum = self.expected.rule.minimum, self.expected.rule.maximum
        if minimum is not None and extremes[0] < minimum:
            self._below.add(rows, np.flatnonzero(values < minimum), array)
        if maximum is not None and extremes[1] > maximum:
            self._above.add(rows, np.flatnonzero(values > maximum), array)
        if max(-extremes[0], extremes[1]) > FLOAT32_MAX:
            self._huge.add(rows, np.flatnonzero(np.abs(values) > FLOAT32_MAX), array)

    def findings(self) -> Iterator[Finding]:
        """What was wrong."""
        yield from super().findings()
        rule = self.expected.rule
        if self._below.count:
            yield self.finding("minimum", self._below, f"at least {rule.minimum:g}")
        if self._above.count:
            yield self.finding("maximum", self._above, f"at most {rule.maximum:g}")
        if self._huge.count:
            yield self.finding("size", self._huge, "what a 32-bit float holds, up to 3.4e38", TRAINING)
        elif self.type == "integer" and max(-self.low, self.high) > INTEGER_MAX:
            found = f"integers from {self.low:.0f} to {self.high:.0f}"
            yield self.finding("size", found, "up to 2**53; `drop` an identifier or declare it a category", TRAINING)

    def only_value(self) -> str | None:
        """The value all rows have, or None."""
        return f"{self.low:g}" if self.low == self.high else None

    def _read(self, array: Any) -> Numbers:
        return numbers(array)


class BooleanCheck(NumberCheck):
    """True and false; with `digits` also 1 and 0."""

    def __init__(self, expected: Expectation, *, is_target: bool, digits: bool = True) -> None:
        super().__init__(expected, "boolean", is_target=is_target)
        self._digits = digits

    def only_value(self) -> str | None:
        """The value all rows have, or None."""
        return str(bool(self.low)).lower() if self.low == self.high else None

    def _read(self, array: Any) -> Numbers:
        return booleans(array, digits=self._digits)


class CategoryCheck(TypedCheck):
    """Texts, of the declared set if there is one. Most work is done once per distinct value of a batch."""

    def __init__(self, expected: Expectation, *, is_target: bool, counted: bool = False) -> None:
        super().__init__(expected, "category", is_target=is_target)
        self.rows = 0
        self.distinct = DistinctCount() if counted else None
        self._only: str | None = None
        self._varies = False
        self._unknown = Tally()

    def feed(self, rows: IntArray, array: Any) -> None:
        """Look at one batch."""
        if not is_scalar(array):
            self.bad.add(rows, np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False)), array)
            return
        self.rows += len(rows)
        text = texts(array)
        distinct = text.unique()
        if pc.index(distinct, "").as_py() >= 0:
            self.nulls.add(rows, _where(pc.equal(text, "")), array)
            distinct = distinct.filter(pc.not_equal(distinct, ""))
        self._note_only(distinct)
        self._check_categories(rows, text, distinct)
        if self.distinct is not None:
            self.distinct.add(distinct)

    def _check_categories(self, rows: IntArray, text: Any, distinct: Any) -> None:
        if self.expected.rule.categories is None:
            return
        allowed = pa.array(self.expected.rule.categories, pa.string())
        unknown = distinct.filter(pc.invert(pc.is_in(distinct, value_set=allowed)))
        if len(unknown):
            self._unknown.add(rows, _where(pc.is_in(text, value_set=unknown)), text)

    def _note_only(self, distinct: Any) -> None:
        if self._varies or not len(distinct):
            return
        first = distinct[0].as_py()
        self._varies = len(distinct) > 1 or self._only not in {None, first}
        self._only = first

    def findings(self) -> Iterator[Finding]:
        """What was wrong."""
        yield from super().findings()
        if self._unknown.count:
            shown = ", ".join(sorted(self.expected.rule.categories or ())[:20])
            yield self.finding("categories", self._unknown, f"one of {shown}")

    def only_value(self) -> str | None:
        """The value all rows have, or None."""
        return None if self._varies or self._only is None else repr(self._only)


def _where(mask: Any) -> IntArray:
    return np.flatnonzero(mask.to_numpy(zero_copy_only=False))
