"""Names, times and others' messages as a person reads them."""

from __future__ import annotations

import re

from slipway.rollout.kubernetes.judgement.api_object import text

_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
_QUERY = re.compile(r"(https?://[^\s\"'?]+)\?[^\s\"']+?(?=:?(?:[\s\"']|$))")
_LOGIN = re.compile(r"://[^\s/@\"']+@")


def reference(kind: str, obj: object) -> str:
    """What a person calls an object, e.g. ``"pod models/iris-7c9d8b5f64-x2x4k"``."""
    name = text(obj, "metadata", "name") or "(unnamed)"
    namespace = text(obj, "metadata", "namespace")
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def vendor_text(message: str, limit: int = 240) -> str:
    """Somebody else's message on one line, without its full stop.

    Log-ins and query strings of URLs, which may be secrets, are left out, and so is the middle of a long message: its
    beginning says what was done, its end why that failed.
    """
    line = " ".join(_QUERY.sub(r"\1?...", _LOGIN.sub("://...@", _HASH.sub(r"\1...", message))).split())
    line = line if line.endswith("...") else line.rstrip(" .:")
    if len(line) <= limit:
        return line
    head = limit * 2 // 5
    return f"{line[:head]} ... {line[head + 5 - limit :]}"


def duration(seconds: float) -> str:
    """A time: ``"45 s"``, ``"3 min"``, ``"1 h 5 min"``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def times(count: int) -> str:
    """How often: ``"once"``, ``"3 times"``."""
    return "once" if count <= 1 else f"{count} times"


def counted(count: int, noun: str) -> str:
    """How many: ``"1 old pod"``, ``"2 old pods"``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
