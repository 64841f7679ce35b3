"""A matplotlib figure as inline SVG that takes its colours from the page, so that one picture serves light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# matplotlib only takes colours, the page only knows variables: these stand for them until the SVG is written.
INK, MUTED, LINE, ACCENT, WARM, CARD = "#010101", "#020202", "#030303", "#040404", "#050505", "#070707"
SERIES = (ACCENT, WARM, "#060601", "#060602", "#060603", "#060604")
_VARIABLES = {INK: "currentColor", MUTED: "var(--muted)", LINE: "var(--line)", CARD: "var(--card)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(SERIES, start=1)
}
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: sharp, selectable, in the page's font
    "text.parse_math": False,  # a column may be called $x$
    "font.size": 9.5,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "text.color": INK,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
}


class Canvas:
    """One figure with one set of axes; `svg` is there after the `with` block of `canvas`."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height))
        self.axes: Any = self.figure.add_axes((0.16, 0.15, 0.8, 0.79))
        self.svg = ""


@contextmanager
def canvas(title: str, width: float = 4.6, height: float = 3.5) -> Iterator[Canvas]:
    """A figure of that size in inches to draw on; `title` is what a screen reader says of it."""
    # The salt makes matplotlib's element ids the same in every run, and different between two figures of a page.
    with mpl.rc_context(_SETTINGS | {"svg.hashsalt": title}):
        drawing = Canvas(width, height)
        yield drawing
        buffer = io.StringIO()
        empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        drawing.figure.savefig(buffer, format="svg", transparent=True, metadata=empty)
    drawing.svg = _inlined(buffer.getvalue(), title)


def _inlined(document: str, title: str) -> str:
    svg = document[document.index("<svg") :]
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    return svg
