from __future__ import annotations

import pytest

from model_server.bodies.media_types import choose
from model_server.errors import UnacceptableError

OFFERED = ("application/json", "text/csv", "application/vnd.apache.arrow.stream")
JSON, CSV, ARROW = OFFERED


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("*", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV", CSV),
        ("text/*", CSV),
        ("text/csv;charset=utf-8", CSV),
        ("application/*", JSON),
        ("application/*;q=0.1, text/csv;q=0.2", CSV),
        ("application/json;q=0.5, text/csv", CSV),
        ("application/json;q=0, */*", CSV),
        ("application/json;q=0, application/*", ARROW),
        ("*/*;q=0.1, application/vnd.apache.arrow.stream;q=0.9", ARROW),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("image/png, text/csv ; q=0.3", CSV),
        ("application/json;q=nonsense, text/csv;q=0.001", CSV),
        ("application/json;Q=0.1, text/csv;Q=0.2", CSV),
        (",, text/csv,", CSV),
    ],
)
def test_the_best_liked_of_what_is_made(accept: str, expected: str) -> None:
    assert choose(accept, OFFERED) == expected


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "text/csv;q=0",
        "*/*;q=0",
        "application/json2",
        "json",
        "text",
        ",",
        "*/json",
        "q=1",
        "text/csv;q=nan",
    ],
)
def test_what_nobody_makes(accept: str) -> None:
    with pytest.raises(UnacceptableError, match="this server makes application/json, text/csv"):
        choose(accept, OFFERED)
