"""Vertex AI's prediction container contract: `{"instances": [..]}` -> `{"predictions": [..]}`.

Source: "Custom container requirements for prediction", Google Cloud documentation. `parameters.probabilities: true` gives
each prediction as `{"prediction": .., "probabilities": {..}}`.
"""

from __future__ import annotations

import orjson

from model_server.bodies.json_rows import check_rows, load, read_rows
from model_server.errors import MalformedError, UnsupportedError
from model_server.message import JSON, Reply, Request
from model_server.model import Model
from model_server.protocols.protocol import JsonErrors
from model_server.settings import Settings


class Vertex(JsonErrors):
    """Instances in, predictions out."""

    name = "vertex"

    def __init__(self, model: Model, settings: Settings) -> None:
        self._model, self._settings = model, settings

    def answer(self, request: Request) -> Reply:
        """See the module."""
        if request.media_type != JSON:
            raise UnsupportedError(f"Content-Type {request.media_type[:60] or '(none)'}, allowed: {JSON}")
        content = request.content(self._settings.max_body_bytes)
        if b'"parameters"' in content and _wants_probabilities(content, self._settings.max_rows):
            return self._with_probabilities(content)
        inputs, single = read_rows(content, "instances", self._model.schema, self._settings.max_rows)
        if single:
            raise MalformedError('"instances" must be a list of rows')
        predicted = self._model.predict(inputs).predicted
        return Reply(200, b'{"predictions":%b}' % self._model.labels.all_json(predicted))

    def _with_probabilities(self, content: bytes) -> Reply:
        schema, labels = self._model.schema, self._model.labels
        rows, single = schema.rows_of(load(content, self._settings.max_rows).get("instances"), "instances")
        if single:
            raise MalformedError('"instances" must be a list of rows')
        check_rows(len(rows), self._settings.max_rows)
        outputs = self._model.predict(schema.inputs(rows), probabilities=True)
        assert outputs.probabilities is not None
        pairs = zip(labels.values(outputs.predicted), labels.by_name(outputs.probabilities), strict=True)
        return Reply(
            200, orjson.dumps({"predictions": [{"prediction": one, "probabilities": two} for one, two in pairs]})
        )


def _wants_probabilities(content: bytes, max_rows: int) -> bool:
    body = load(content, max_rows)
    parameters = body.get("parameters") if isinstance(body, dict) else None
    if parameters is not None and not isinstance(parameters, dict):
        raise MalformedError('"parameters" must be an object')
    wanted = (parameters or {}).get("probabilities", False)
    if not isinstance(wanted, bool):
        raise MalformedError('"parameters": {"probabilities": ..} must be true or false')
    return wanted
