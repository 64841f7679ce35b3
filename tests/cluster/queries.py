"""Values of a request's query as the real server reads them."""

from __future__ import annotations

from collections.abc import Mapping


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean: what is there is true unless it says `false` or `0`."""
    return query.get(name, "false").lower() not in {"false", "0"}
