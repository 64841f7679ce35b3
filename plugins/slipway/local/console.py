"""The one place that writes to the terminal."""

from __future__ import annotations

import sys


def say(text: str = "") -> None:
    """One line for the person at the terminal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """What went wrong, where errors belong."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
