"""Feature schemas for tests."""

from __future__ import annotations

from typing import Any

from model_server.schema import FeatureSchema


def feature(name: str, kind: str = "number", **given: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "nullable": False, "minimum": None, "maximum": None, "categories": None} | given


NUMBERS = FeatureSchema([feature(name) for name in "abcd"])
NULLABLE = FeatureSchema([feature(name, nullable=True) for name in "abcd"])
MIXED = FeatureSchema(
    [
        feature("carrier", "category", nullable=True, categories=["UA", "AA", "ÅÄ"]),
        feature("delay", "integer", nullable=True, minimum=-60, maximum=1000),
        feature("tail", "category"),
        feature("night", "boolean"),
        feature("distance", minimum=0.0, maximum=5000.0),
    ]
)
