"""One column whose type nobody declared: found out in the same pass that checks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from slipway.dataset.column_check import BooleanCheck, CategoryCheck, NumberCheck, TypedCheck
from slipway.dataset.distinct import KEPT
from slipway.dataset.finding import TRAINING, Finding
from slipway.table.values import are_whole, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slipway.core.column import Column
    from slipway.dataset.rules import Expectation
    from slipway.table.rows import IntArray

MAX_DISTINCT = 1000  # a category with more, and with more than half of its rows distinct, is no category


class InferredCheck:
    """Integer if all values are integers, number if all are numbers, boolean if all are true or false, else category.

    A declared minimum or maximum makes it a number. Where the file itself types its values (`typed`), text is a
    category even if it looks like a number: ``"02139"`` in JSON is no number.
    """

    def __init__(self, expected: Expectation, *, typed: bool, is_target: bool) -> None:
        self._expected, self._typed = expected, typed
        self._number = NumberCheck(expected, "number", is_target=is_target)
        self._boolean = BooleanCheck(expected, is_target=is_target, digits=False)
        self._category = CategoryCheck(expected, is_target=is_target, counted=True)
        self._must_be_number = expected.rule.minimum is not None or expected.rule.maximum is not None
        self._open: list[NumberCheck] = [self._number] if self._must_be_number else [self._number, self._boolean]
        self._whole, self._begun = True, False

    def feed(self, rows: IntArray, array: Any) -> None:
        """Look at one batch; a type that a value contradicts is out of the question from then on."""
        is_text = self._typed and pa.types.is_string(array.type) and array.null_count < len(array)
        for check in list(self._open):
            if not is_text or self._must_be_number:
                check.feed(rows, array)
            if (is_text or check.bad.count) and not self._must_be_number:
                self._open.remove(check)
        if self._number in self._open:
            self._whole = self._whole and are_whole(array)
        self._feed_category(rows, array)
        self._begun = True

    def findings(self) -> Iterator[Finding]:
        """What was wrong with it as the type it turned out to have."""
        if self._is_empty():
            allowed = "a value somewhere; `drop` the column or declare its `type`"
            yield Finding(self._expected.name, "all null", "no value in any row", allowed, TRAINING)
            return
        check = self._settled_check()
        yield from check.findings()
        if check is self._category:
            yield from self._identifier()

    def settled(self) -> Column:
        """The column with the type it turned out to have."""
        return self._settled_check().settled()

    def _feed_category(self, rows: IntArray, array: Any) -> None:
        """Counting distinct texts is dear, so after the first batch it waits until nothing else is possible."""
        if self._must_be_number:
            return
        if not self._open or not self._begun:
            self._category.feed(rows, array)
        elif self._number.nulls.count or self._boolean.nulls.count:
            empty = pc.equal(texts(array), "").to_numpy(zero_copy_only=False)
            self._category.nulls.add(rows, np.flatnonzero(empty), array)

    def _is_empty(self) -> bool:
        return bool(self._open) and all(check.low > check.high and not check.bad.count for check in self._open)

    def _settled_check(self) -> TypedCheck:
        if not self._open:
            return self._category
        if self._number in self._open:
            self._number.type = "integer" if self._whole else "number"
        return self._open[0]

    def _identifier(self) -> Iterator[Finding]:
        counted, rows = self._category.distinct, self._category.rows
        distinct = counted.estimate() if counted else 0
        if distinct > MAX_DISTINCT and distinct > rows / 2:
            found = f"{'about ' if distinct >= KEPT else ''}{distinct} distinct values in {rows} rows"
            allowed = (
                "values that repeat; it looks like an identifier or free text: `drop` it or declare it `type: category`"
            )
            yield Finding(self._expected.name, "identifier", found, allowed, TRAINING)
