"""Prometheus' text exposition format, version 0.0.4, as numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_LABEL = rf"[a-zA-Z_][a-zA-Z0-9_]*\s*=\s*{_QUOTED}"
_LINE = re.compile(
    rf"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{{(?P<labels>\s*(?:{_LABEL}\s*(?:,\s*|(?=\}})))*)\}})?"
    r"\s*(?P<value>\S+)(?:\s+-?\d+)?\s*"
)
_PAIR = re.compile(rf"(\w+)\s*=\s*({_QUOTED})")
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Sample(NamedTuple):
    """One line: the value of a metric with these labels."""

    name: str
    labels: dict[str, str]
    value: float


def parse(text: str) -> Iterator[Sample]:
    """Every sample of a scrape; comments, types and timestamps are left out.

    Raises:
        ValueError: a line is none of that format; the text names it.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield _sample(number, line)


def _sample(number: int, line: str) -> Sample:
    found = _LINE.fullmatch(line.strip())
    try:
        if found is None:
            raise ValueError("no sample")
        pairs = _PAIR.findall(found["labels"] or "")
        return Sample(found["name"], {name: _unquoted(value) for name, value in pairs}, float(found["value"]))
    except ValueError as error:
        raise ValueError(f"line {number} is no sample of the Prometheus text format: {line:.80}") from error


def _unquoted(text: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPES.get(found[0], found[0]), text[1:-1])
