"""The columns of a dataset by name: which must be there, which may be, in which order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from slipway.dataset.finding import FORMAT, TRAINING, Finding
from slipway.dataset.rules import MODEL_FILE, Rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def repeated_names(columns: Sequence[str]) -> Iterator[Finding]:
    """Names that stand twice: nothing else can be said about such a file."""
    for name, count in Counter(columns).items():
        if count > 1:
            yield Finding(name, "header", f"{count} columns of this name", "one", FORMAT)


def feature_names(columns: Sequence[str], rules: Rules, *, ordered: bool) -> list[str]:
    """The features in the order of a positional row: the file's, or where a format has none the champion's."""
    left_out = {rules.dataset.target, *rules.dataset.drop}
    names = [name for name in columns if name not in left_out]
    if rules.champion is not None and not ordered:
        place = {column.name: number for number, column in enumerate(rules.champion.features)}
        names.sort(key=lambda name: place.get(name, len(place)))
    return names


def check_header(columns: Sequence[str], rules: Rules, *, ordered: bool) -> Iterator[Finding]:
    """What is missing, unknown or out of order."""
    dataset, features = rules.dataset, feature_names(columns, rules, ordered=ordered)
    there = f"no such column among {_listed(columns)}"
    if dataset.target not in columns:
        yield Finding(dataset.target, "target", there, "the target column", MODEL_FILE)
    for name in dataset.columns:
        if name not in columns and name != dataset.target:
            yield Finding(name, "declared", there, "the column that `columns` declares", MODEL_FILE)
    for name in dataset.drop:
        if name not in columns:
            yield Finding(name, "drop", there, "the column that `drop` names", MODEL_FILE)
    if "" in features:
        number = columns.index("") + 1
        yield Finding(f"column {number}", "header", "no name", "a name for every column that is not dropped", FORMAT)
    if not features:
        yield Finding("file", "features", "no column but the target and dropped ones", "at least one feature", TRAINING)
    yield from _check_against_champion(features, rules)


def _check_against_champion(features: list[str], rules: Rules) -> Iterator[Finding]:
    """The model file has the last word: a column that it declares or drops may come or go."""
    if rules.champion is None:
        return
    dataset, source = rules.dataset, rules.champion_source
    said = {dataset.target, *dataset.drop, *dataset.columns}
    known = [column.name for column in rules.champion.features if column.name not in {dataset.target, *dataset.drop}]
    for name in known:
        if name not in features and name not in said:
            yield Finding(
                name, "columns", f"no such column among {_listed(features)}", "the champion's feature", source
            )
    for name in features:
        if name not in {*known, *said, rules.champion.target.name}:
            allowed = "only the champion's features; declare it under `columns` to add it, or `drop` it"
            yield Finding(name, "columns", "a column the champion does not know", allowed, source)
    found, wanted = [name for name in features if name in known], [name for name in known if name in features]
    if found != wanted:
        place = next(number for number, pair in enumerate(zip(found, wanted, strict=True)) if pair[0] != pair[1])
        yield Finding(found[place], "order", f"{_listed(found)}", f"{_listed(wanted)}, in this order", source)


def _listed(names: Sequence[str], most: int = 20) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more
