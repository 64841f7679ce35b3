"""The OpenAPI 3.1 description of this server, from the feature schema of its bundle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from model_server import __version__
from model_server.bodies.media_types import FORMS
from model_server.json_schemas import (
    chances_schema,
    label_schema,
    named_row_schema,
    object_of,
    predictions_schema,
    row_schema,
    rows_schema,
)
from model_server.message import JSON
from model_server.model import Model
from model_server.protocols import invocations, predict
from model_server.protocols.model_card import DATATYPES, OUTPUTS
from model_server.protocols.tensors import DTYPES, MAX_DIMENSIONS
from model_server.settings import Settings

Schema = dict[str, Any]

STATUS_TEXTS = {
    400: "The body cannot be parsed, or is not of a shape we know",
    401: "No API key, or one that we do not know",
    404: "No such model or version",
    405: "The path takes another method",
    406: "Accept allows nothing we can make",
    408: "The request did not arrive in time",
    413: "Body, decompressed body or number of rows over the limit",
    414: "The request target is too long",
    415: "A media type or an encoding we do not read",
    417: "An expectation other than 100-continue",
    422: "A value breaks the feature schema",
    429: "Over the key's rate; Retry-After says when",
    431: "Too many headers, or too long ones",
    500: "Our fault; the log has it",
    503: "The model is not ready",
}
_ANYWHERE = (400, 401, 408, 413, 414, 417, 429, 431, 500)
_BINARY: Schema = {"type": "string", "format": "binary"}
_ERROR: Schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


def describe(model: Model, settings: Settings) -> dict[str, Any]:
    """The document; `/openapi.json` and `/docs` show it."""
    paths: dict[str, Any] = {
        "/predict": {"post": _predict(model)},
        "/invocations": {"post": _invocations(model)},
        "/v2": {"get": _get("The server")},
        "/v2/health/live": {"get": _get("Does the process answer", is_open=True)},
        "/v2/health/ready": {"get": _get("Were the golden rows answered as in training", 503, is_open=True)},
        "/ping": {"get": _get("SageMaker's health check", 503, is_open=True)},
        "/v2/repository/index": {"post": _get("The models")},
        "/metrics": {"get": _get("Counters for Prometheus", kind="text/plain")},
    }
    for tail in ("", "/versions/{version}"):
        names = {"model": model.name} | ({"version": model.version} if tail else {})
        base = f"/v2/models/{{model}}{tail}"
        paths[base] = {"get": _get("Its inputs and outputs", 404) | _in_path(names)}
        paths[f"{base}/ready"] = {"get": _get("Is it ready", 404, 503) | _in_path(names)}
        paths[f"{base}/infer"] = {"post": _infer(model) | _in_path(names)}
    if settings.predict_route:
        paths[settings.predict_route] = {"post": _vertex(model)}
    if settings.health_route:
        paths[settings.health_route] = {"get": _get("Vertex AI's health check", 503, is_open=True)}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": f"Model {model.name}", "version": __version__, "description": _about(model)},
        "paths": paths,
    }
    if settings.open_to_all:
        _leave_out(paths, 401, 429)
    else:
        document["components"] = {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}
        document["security"] = [{"key": []}]
    return document


def _about(model: Model) -> str:
    metadata = model.bundle.metadata
    return f"{metadata['task']} of {metadata['target']}; bundle {model.bundle.digest}"


def _predict(model: Model) -> Schema:
    asked = object_of(features={"anyOf": [row_schema(model), rows_schema(model)]})
    label, chances = label_schema(model), chances_schema(model)
    answered = object_of(prediction={"anyOf": [label, {"type": "array", "items": label}]})
    if model.has_probabilities:
        answered["properties"]["probabilities"] = {"anyOf": [chances, {"type": "array", "items": chances}]}
    return _operation(
        "Predict one row or many",
        _bodies(model, asked, {"features": _golden(model)}, predict.READS),
        {kind: {"schema": answered if kind == JSON else _BINARY} for kind in predict.MAKES},
        parameters=_probabilities(model),
    )


def _invocations(model: Model) -> Schema:
    rows, named = rows_schema(model), named_row_schema(model)
    split = object_of(data={"type": "array", "items": row_schema(model)["anyOf"][0], "minItems": 1})
    split["properties"]["columns"] = {"enum": [list(named["properties"]), None]}
    forms = [object_of(**{key: rows}) for key in ("instances", "inputs", "dataframe_records")]
    asked = {"anyOf": [*forms, object_of(dataframe_split=split), rows]}
    return _operation(
        "Predict, in the forms of SageMaker and MLflow",
        _bodies(model, asked, {"instances": _golden(model)}, FORMS),
        {kind: {"schema": predictions_schema(model) if kind == JSON else _BINARY} for kind in invocations.MAKES},
        parameters=_probabilities(model),
    )


def _infer(model: Model) -> Schema:
    tensor = object_of(
        name={"type": "string"},
        shape={"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": MAX_DIMENSIONS},
        datatype={"enum": [*DTYPES, "BYTES"]},
    )
    asked = object_of(inputs={"type": "array", "items": tensor, "minItems": 1})
    output = object_of(name={"enum": list(OUTPUTS if model.has_probabilities else OUTPUTS[:1])})
    asked["properties"] |= {"id": {"type": ["string", "null"]}, "outputs": {"type": ["array", "null"], "items": output}}
    answered = object_of(
        model_name={"type": "string"}, model_version={"type": "string"}, outputs={"type": "array", "items": tensor}
    )
    binary = {"application/octet-stream": {"schema": _BINARY}}
    return _operation(
        "Predict by the Open Inference Protocol",
        _bodies(model, asked, {"inputs": _golden_tensors(model)}, [JSON]) | binary,
        {JSON: {"schema": answered}} | binary,
    )


def _vertex(model: Model) -> Schema:
    asked = object_of(instances=rows_schema(model))
    asked["properties"]["parameters"] = {
        "type": ["object", "null"],
        "properties": {"probabilities": {"enum": [False, True] if model.has_probabilities else [False]}},
    }
    return _operation(
        f"Predict by Vertex AI's contract, {model.name}",
        _bodies(model, asked, {"instances": _golden(model)}, [JSON]),
        {JSON: {"schema": predictions_schema(model)}},
    )


def _bodies(model: Model, asked: Schema, example: Any, kinds: Iterable[str]) -> Schema:
    """What may be sent: JSON of the schema `asked`, and tables; .npy only where all features are numbers."""
    described = {"schema": asked} | ({"example": example} if model.bundle.golden["rows"] else {})
    kinds = [kind for kind in kinds if FORMS[kind] != "npy" or not model.schema.text]
    return {kind: described if kind == JSON else {"schema": _BINARY} for kind in kinds}


def _golden(model: Model) -> list[Any]:
    return list(model.bundle.golden["rows"][:1])


def _golden_tensors(model: Model) -> list[Schema]:
    """The first golden row, one tensor a feature; what is null is left out."""
    [row] = _golden(model) or [[None] * len(model.schema.names)]
    values = dict(zip(model.schema.names, row, strict=True))
    columns = [(feature, values[feature["name"]]) for feature in model.schema.features]
    return [
        {"name": feature["name"], "shape": [1], "datatype": DATATYPES[feature["type"]], "data": [value]}
        for feature, value in columns
        if value is not None
    ]


def _operation(summary: str, asked: Schema, answered: Schema, *, parameters: list[Schema] | None = None) -> Schema:
    return {
        "summary": summary,
        "parameters": parameters or [],
        "requestBody": {"required": True, "content": asked},
        "responses": {
            "200": {"description": "The predictions", "content": answered},
            **_errors(404, 406, 415, 422, 503, *_ANYWHERE),
        },
    }


def _get(summary: str, *statuses: int, kind: str = JSON, is_open: bool = False) -> Schema:
    """An operation that predicts nothing; an open one needs no key."""
    ok = {"description": summary, "content": {kind: {"schema": {}}}}
    operation: Schema = {"summary": summary, "responses": {"200": ok, **_errors(*_ANYWHERE, *statuses)}}
    if is_open:
        operation["security"] = []
        _leave_out({"": {"get": operation}}, 401, 429)
    return operation


def _errors(*statuses: int) -> Schema:
    content = {JSON: {"schema": _ERROR}}
    return {str(status): {"description": STATUS_TEXTS[status], "content": content} for status in sorted(set(statuses))}


def _leave_out(paths: Schema, *statuses: int) -> None:
    """Take answers out of the operations that never give them."""
    for path in paths.values():
        for operation in path.values():
            for status in statuses:
                operation["responses"].pop(str(status), None)


def _probabilities(model: Model) -> list[Schema]:
    if not model.has_probabilities:
        return []
    text = "Also the probability of each class"
    words = {"anyOf": [{"type": "boolean"}, {"enum": ["", "1", "0", "yes", "no"]}]}
    return [{"name": "probabilities", "in": "query", "schema": words, "description": text}]


def _in_path(names: dict[str, str]) -> Schema:
    """The one model, and its one version."""
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"enum": [value]}} for name, value in names.items()
        ]
    }
