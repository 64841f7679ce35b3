"""The OpenAPI 3.1 description of this server, from the feature schema of its bundle."""

from __future__ import annotations

from typing import Any

from model_server import __version__
from model_server.bodies.media_types import FORMS
from model_server.message import JSON
from model_server.model import Model
from model_server.protocols import invocations, predict
from model_server.settings import Settings

Schema = dict[str, Any]

STATUS_TEXTS = {
    400: "The body cannot be parsed, or is not of a shape we know",
    401: "No API key, or one that we do not know",
    404: "No such model or version",
    406: "Accept allows nothing we can make",
    408: "The request did not arrive in time",
    413: "Body, decompressed body or number of rows over the limit",
    415: "A media type or an encoding we do not read",
    422: "A value breaks the feature schema",
    429: "Over the key's rate; Retry-After says when",
    500: "Our fault; the log has it",
    503: "The model is not ready",
}
_BINARY: Schema = {"type": "string", "format": "binary"}
_ERROR: Schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


def describe(model: Model, settings: Settings) -> dict[str, Any]:
    """The document; `/openapi.json` and `/docs` show it."""
    paths: dict[str, Any] = {
        "/predict": {"post": _predict(model)},
        "/invocations": {"post": _invocations()},
        "/v2": {"get": _get("The server")},
        "/v2/health/live": {"get": _get("Does the process answer")},
        "/v2/health/ready": {"get": _get("Were the golden rows answered as in training", 503)},
        "/ping": {"get": _get("SageMaker's health check", 503)},
        "/v2/repository/index": {"post": _get("The models")},
        "/metrics": {"get": _get("Counters for Prometheus", kind="text/plain")},
    }
    for tail in ("", "/versions/{version}"):
        names = ["model", "version"] if tail else ["model"]
        base = f"/v2/models/{{model}}{tail}"
        paths[base] = {"get": _get("Its inputs and outputs", 404) | _in_path(names)}
        paths[f"{base}/ready"] = {"get": _get("Is it ready", 404, 503) | _in_path(names)}
        paths[f"{base}/infer"] = {"post": _infer() | _in_path(names)}
    if settings.predict_route:
        paths[settings.predict_route] = {"post": _vertex(model)}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": f"Model {model.name}", "version": __version__, "description": _about(model)},
        "paths": paths,
    }
    if not settings.open_to_all:
        document["components"] = {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}
        document["security"] = [{"key": []}]
    return document


def row_schema(model: Model) -> Schema:
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
    kinds = {"category": "string", "boolean": "boolean", "integer": "integer", "number": "number"}
    kind: Schema = {"type": kinds[feature["type"]]}
    if feature.get("categories"):
        kind["enum"] = [*feature["categories"], *([None] if feature["nullable"] else [])]
    for name in ("minimum", "maximum"):
        if feature.get(name) is not None:
            kind[name] = feature[name]
    if feature["nullable"]:
        kind["type"] = [kind["type"], "null"]
    return kind


def _about(model: Model) -> str:
    metadata = model.bundle.metadata
    return f"{metadata['task']} of {metadata['target']}; bundle {model.bundle.digest}"


def _predict(model: Model) -> Schema:
    named = row_schema(model)
    listed = {"type": "array", "prefixItems": list(named["properties"].values()), "items": False}
    listed |= {"minItems": len(named["properties"]), "maxItems": len(named["properties"])}
    row = {"anyOf": [listed, named]}
    body = {"features": {"anyOf": [row, {"type": "array", "items": row, "minItems": 1}]}}
    asked = {"type": "object", "required": ["features"], "properties": body}
    return _operation(
        "Predict one row or many",
        {JSON: {"schema": asked}} | {kind: {"schema": _BINARY} for kind in predict.READS[1:]},
        {kind: {"schema": {"type": "object"} if kind == JSON else _BINARY} for kind in predict.MAKES},
        parameters=[_probabilities()],
    )


def _invocations() -> Schema:
    return _operation(
        "Predict, in the forms of SageMaker and MLflow",
        {kind: {"schema": {} if kind == JSON else _BINARY} for kind in FORMS},
        {kind: {"schema": {} if kind == JSON else _BINARY} for kind in invocations.MAKES},
        parameters=[_probabilities()],
    )


def _infer() -> Schema:
    kinds = {JSON: {"schema": {"type": "object"}}, "application/octet-stream": {"schema": _BINARY}}
    return _operation("Predict by the Open Inference Protocol", kinds, kinds)


def _vertex(model: Model) -> Schema:
    properties = {"instances": {"type": "array"}, "parameters": {"type": "object"}}
    asked = {"type": "object", "required": ["instances"], "properties": properties}
    return _operation(
        f"Predict by Vertex AI's contract, {model.name}", {JSON: {"schema": asked}}, {JSON: {"schema": {}}}
    )


def _operation(summary: str, asked: Schema, answered: Schema, *, parameters: list[Schema] | None = None) -> Schema:
    return {
        "summary": summary,
        "parameters": parameters or [],
        "requestBody": {"required": True, "content": asked},
        "responses": {"200": {"description": "The predictions", "content": answered}, **_errors(*STATUS_TEXTS)},
    }


def _get(summary: str, *statuses: int, kind: str = JSON) -> Schema:
    ok = {"description": summary, "content": {kind: {"schema": {}}}}
    return {"summary": summary, "responses": {"200": ok, **_errors(400, 401, 408, 413, 429, 500, *statuses)}}


def _errors(*statuses: int) -> Schema:
    content = {JSON: {"schema": _ERROR}}
    return {str(status): {"description": STATUS_TEXTS[status], "content": content} for status in sorted(set(statuses))}


def _probabilities() -> Schema:
    text = "Also the probability of each class"
    return {"name": "probabilities", "in": "query", "schema": {"type": "boolean"}, "description": text}


def _in_path(names: list[str]) -> Schema:
    return {
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    }
