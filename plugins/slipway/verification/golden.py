"""Comparing an endpoint's answers with those that training made. Pure."""

from __future__ import annotations

import math
from typing import Any


def find_difference(golden: dict[str, Any], answer: dict[str, Any]) -> str | None:
    """The first row on which the endpoint and training disagree, in words; None if they agree.

    Args:
        golden: the bundle's golden.json.
        answer: the endpoint's answer to all its rows, ``{"prediction": [..], "probabilities": [{class: p}, ..]}``.
    """
    found, expected = answer.get("prediction"), golden["predictions"]
    if not isinstance(found, list) or len(found) != len(expected):
        return f"{len(expected)} rows were asked, the answer holds {found!r:.80}"
    for number, (got, want) in enumerate(zip(found, expected, strict=True), start=1):
        if not _same(got, want, golden):
            return f"row {number} {golden['rows'][number - 1]}: answered {got!r}, training predicted {want!r}"
    if golden["probabilities"] is None:
        return None
    return _probability_difference(golden, answer.get("probabilities"))


def _probability_difference(golden: dict[str, Any], found: Any) -> str | None:
    for number, expected in enumerate(golden["probabilities"], start=1):
        got = list(found[number - 1].values()) if isinstance(found, list) and len(found) >= number else None
        if got is None or len(got) != len(expected):
            return f"row {number}: no probabilities of {len(expected)} classes in the answer"
        if not all(_same(a, b, golden) for a, b in zip(got, expected, strict=True)):
            return f"row {number}: answered the probabilities {got}, training had {expected}"
    return None


def _same(found: Any, expected: Any, golden: dict[str, Any]) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (found, expected))
    if not numbers:
        return bool(found == expected)
    relative, absolute = golden["relative_tolerance"], golden["absolute_tolerance"]
    return math.isclose(found, expected, rel_tol=relative, abs_tol=absolute)
