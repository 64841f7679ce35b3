"""What large bodies took of the heap goes back to the system.

glibc gives every thread an arena of its own and keeps what was freed in it, so each thread that once answered a large request
would hold its memory for ever. Where there is no glibc, nothing here does anything.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_M_ARENA_MAX = -8  # mallopt(3)


def _function(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def share_arenas(count: int = 2) -> None:
    """Let all threads share so many arenas; to be called before there are any."""
    if mallopt := _function("mallopt"):
        mallopt(_M_ARENA_MAX, count)


def trim() -> None:
    """Give back what is free. Takes milliseconds, and the next large request pays for it anew: now and then only."""
    if malloc_trim := _function("malloc_trim"):
        malloc_trim(0)
