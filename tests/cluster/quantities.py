"""Amounts of resources: `500m`, `1Gi`, `2`."""

from __future__ import annotations

import re
from decimal import Decimal

_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_FORM = re.compile(r"([+-]?[0-9]+\.?[0-9]*|[+-]?\.[0-9]+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?|[eE][+-]?[0-9]+)")


def parse(text: str | float) -> Decimal:
    """The number that a quantity is. Raises ValueError for what is none."""
    found = _FORM.fullmatch(str(text))
    if not found:
        pattern = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
        raise ValueError(f"quantities must match the regular expression '{pattern}'")
    number, suffix = Decimal(found[1]), found[2]
    if suffix in _BINARY:
        return number * Decimal(1024) ** _BINARY[suffix]
    if suffix in _DECIMAL:
        return number * Decimal(10) ** _DECIMAL[suffix]
    return number * Decimal(10) ** int(suffix[1:])


def text_of(number: Decimal, like: str = "") -> str:
    """A number as a quantity; with a binary suffix where it divides and `like` has one."""
    if like[-2:] in _BINARY:
        for suffix, power in reversed(_BINARY.items()):
            if number and number % 1024**power == 0:
                return f"{number / 1024**power:f}{suffix}"
    if number == number.to_integral_value():
        return f"{number.to_integral_value():f}"
    return f"{(number * 1000).to_integral_value():f}m"
