"""The check of a whole dataset, in one pass and in memory that does not grow with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.core.column import Column, Schema
from slipway.dataset.column_check import BooleanCheck, CategoryCheck, ColumnCheck, NumberCheck
from slipway.dataset.duplicates import DuplicateSearch
from slipway.dataset.finding import FORMAT, TRAINING, Finding, Tally, rejection
from slipway.dataset.header import check_header, feature_names, repeated_names
from slipway.dataset.inferred_check import InferredCheck
from slipway.dataset.rules import MODEL_FILE, Expectation, Rules
from slipway.table.rows import Fault, Table, open_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Validated:
    """A dataset that keeps every rule."""

    schema: Schema
    rows: int


def validate(path: Path, rules: Rules, *, uri: str, work_dir: Path) -> Validated:
    """Check the table at `path`.

    Args:
        path: a local file.
        rules: what it is checked against.
        uri: where it came from, for the error.
        work_dir: an empty folder for temporary files.

    Raises:
        ConfigurationError: not a supported format.
        RejectedError: one error that lists every broken rule.
    """
    table = open_table(path)
    problem = list(_unreadable(table))
    if problem:
        raise rejection(uri, problem)
    validation = _Validation(table, rules, DuplicateSearch(path, work_dir))
    validation.read()
    findings = list(validation.findings())
    if findings:
        raise rejection(uri, findings)
    return validation.result()


def _unreadable(table: Table) -> Iterator[Finding]:
    columns = table.columns
    if columns:
        yield from repeated_names(columns)
    elif table.faults:
        yield from _fault_findings(table.faults)
    else:
        yield Finding("file", "empty", "nothing in it", "at least one row", TRAINING)


class _Validation:
    """One pass over one table."""

    def __init__(self, table: Table, rules: Rules, duplicates: DuplicateSearch) -> None:
        self._table, self._rules, self._duplicates = table, rules, duplicates
        self._rows = 0
        target = rules.dataset.target
        self._features = feature_names(table.columns, rules, ordered=table.ordered)
        names = [*self._features, target] if target in table.columns else self._features
        self._checks = {name: _check_for(rules.expectation(name), table, is_target=name == target) for name in names}

    def read(self) -> None:
        """Feed every batch to the checks."""
        compared = self._rules.dataset.duplicates == "reject"
        for batch in self._table.batches(None if compared else list(self._checks)):
            self._rows += len(batch.numbers)
            for name, check in self._checks.items():
                check.feed(batch.numbers, batch.columns[name])
            if compared:
                self._duplicates.feed(batch)

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong."""
        table, rules = self._table, self._rules
        yield from check_header(table.columns, rules, ordered=table.ordered)
        yield from _fault_findings(table.faults)
        if not self._rows:
            if not table.faults:
                yield Finding("file", "empty", "no row", "at least one row", TRAINING)
            return
        # Where reading stopped half-way, what holds of the whole column cannot be said.
        stopped = any(fault.row is None for fault in table.faults)
        for check in self._checks.values():
            yield from (found for found in check.findings() if not stopped or isinstance(found.found, Tally))
        yield from self._task_finding()
        if rules.dataset.duplicates == "reject" and not stopped:
            yield from self._duplicates.findings()

    def result(self) -> Validated:
        """What was found out, if there are no findings."""
        columns = {name: check.settled() for name, check in self._checks.items()}
        target = columns[self._rules.dataset.target]
        return Validated(Schema(features=tuple(columns[name] for name in self._features), target=target), self._rows)

    def _task_finding(self) -> Iterator[Finding]:
        target = self._rules.dataset.target
        if self._rules.task == "regression" and target in self._checks:
            found: Column = self._checks[target].settled()
            if not found.is_numeric:
                yield Finding(
                    target, "task", f"a {found.type}", "numbers, because train.task is regression", MODEL_FILE
                )


def _check_for(expected: Expectation, table: Table, *, is_target: bool) -> ColumnCheck:
    kind = expected.rule.type
    if kind is None:
        return InferredCheck(expected, typed=table.typed, is_target=is_target)
    if kind == "category":
        return CategoryCheck(expected, is_target=is_target)
    if kind == "boolean":
        return BooleanCheck(expected, is_target=is_target)
    return NumberCheck(expected, kind, is_target=is_target)


def _fault_findings(faults: list[Fault]) -> Iterator[Finding]:
    """Faults of the same kind as one finding."""
    tallies: dict[tuple[str, str], Tally] = {}
    for fault in faults:
        if fault.row is None:
            yield Finding("file", fault.rule, fault.found, fault.allowed, FORMAT)
        else:
            tallies.setdefault((fault.rule, fault.allowed), Tally()).note(fault.row, fault.found)
    for (rule, allowed), tally in tallies.items():
        yield Finding("file", rule, tally, allowed, FORMAT)
