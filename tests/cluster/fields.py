"""Server-side apply: who owns which field."""

from __future__ import annotations

from typing import Any


def record_update(
    old: dict[str, Any] | None, new: dict[str, Any], *, manager: str, subresource: str, now: str
) -> dict[str, Any]:
    """`new`, with the fields that it changes owned by `manager`."""
    return new
