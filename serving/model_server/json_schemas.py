"""A model's rows and answers as JSON Schemas (2020-12), from the feature schema of its bundle."""

from __future__ import annotations

from typing import Any

from model_server.model import Model
from model_server.schema import FLOAT32_MAX

Schema = dict[str, Any]


def object_of(**properties: Schema) -> Schema:
    """An object with these properties, all required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def row_schema(model: Model) -> Schema:
    """A row by position or by name."""
    named = named_row_schema(model)
    width = len(named["properties"])
    listed = {"type": "array", "prefixItems": list(named["properties"].values()), "items": False}
    return {"anyOf": [listed | {"minItems": width, "maxItems": width}, named]}


def rows_schema(model: Model) -> Schema:
    """At least one row."""
    return {"type": "array", "items": row_schema(model), "minItems": 1}


def named_row_schema(model: Model) -> Schema:
    """A row with named features."""
    features = model.schema.features
    return {
        "type": "object",
        "properties": {feature["name"]: value_schema(feature) for feature in features},
        "required": [feature["name"] for feature in features if not feature["nullable"]],
        "additionalProperties": False,
    }


def value_schema(feature: dict[str, Any]) -> Schema:
    """One value."""
    if feature["type"] == "boolean":
        return {"enum": [False, True, 0, 1, *([None] if feature["nullable"] else [])]}
    if feature["type"] == "category":
        return _text_schema(feature)
    low, high = feature.get("minimum"), feature.get("maximum")
    return {
        "type": [feature["type"], "null"] if feature["nullable"] else feature["type"],
        "minimum": -FLOAT32_MAX if low is None else low,
        "maximum": FLOAT32_MAX if high is None else high,
    }


def _text_schema(feature: dict[str, Any]) -> Schema:
    if feature.get("categories"):
        return {"enum": [*feature["categories"], *([None] if feature["nullable"] else [])]}
    return {"type": ["string", "null"]} if feature["nullable"] else {"type": "string", "minLength": 1}


def label_schema(model: Model) -> Schema:
    """One prediction."""
    classes = model.labels.classes
    return {"type": "number"} if classes is None else {"enum": list(classes)}


def chances_schema(model: Model) -> Schema:
    """The probability of each class."""
    chance = {"type": "number"}
    return {"type": "object", "properties": dict.fromkeys(model.labels.names, chance), "required": model.labels.names}


def predictions_schema(model: Model) -> Schema:
    """What SageMaker, MLflow and Vertex AI are answered in JSON."""
    one = label_schema(model)
    if model.has_probabilities:
        one = {"anyOf": [one, object_of(prediction=one, probabilities=chances_schema(model))]}
    return object_of(predictions={"type": "array", "items": one})
