"""Slipway's own `POST /predict`: `{"features": ..}` -> `{"prediction": ..}`, or a table in and a table out."""

from __future__ import annotations

import orjson

from model_server.bodies import arrow_rows, csv_rows
from model_server.bodies.json_rows import read_rows
from model_server.bodies.media_types import FORMS, choose
from model_server.bodies.tables import as_columns, reader_of
from model_server.errors import UnsupportedError
from model_server.message import JSON, Reply, Request
from model_server.model import Model
from model_server.protocols.protocol import JsonErrors
from model_server.runtime import Outputs
from model_server.settings import Settings

READS = (JSON, "text/csv", "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream", "application/x-npy")
MAKES = (JSON, "text/csv", "application/vnd.apache.arrow.stream")


class Predict(JsonErrors):
    """One row or many, by position or by name; labels come back as in the dataset."""

    name = "predict"

    def __init__(self, model: Model, settings: Settings) -> None:
        self._model, self._settings = model, settings

    def answer(self, request: Request) -> Reply:
        """See the module."""
        settings, media_type = self._settings, request.media_type
        content = request.content(settings.max_body_bytes)
        if media_type == JSON:
            inputs, single = read_rows(content, "features", self._model.schema, settings.max_rows)
        elif media_type in READS:
            read = reader_of(FORMS.get(media_type), media_type, ", ".join(READS))
            inputs, single = read(content, self._model.schema, settings.max_rows), False
        else:
            raise UnsupportedError(f"Content-Type {media_type[:60] or '(none)'}, allowed: {', '.join(READS)}")
        made = choose(request.accept, MAKES)
        outputs = self._model.predict(inputs, probabilities=request.flag("probabilities"))
        return self._write(outputs, made, single=single)

    def _write(self, outputs: Outputs, media_type: str, *, single: bool) -> Reply:
        labels = self._model.labels
        if media_type == MAKES[1]:
            return Reply(200, csv_rows.write(as_columns(outputs, labels)), "text/csv; charset=utf-8")
        if media_type == MAKES[2]:
            return Reply(200, arrow_rows.write_stream(outputs, labels), media_type)
        predictions = (labels.one_json if single else labels.all_json)(outputs.predicted)
        if outputs.probabilities is None:
            return Reply(200, b'{"prediction":%b}' % predictions)
        chances = labels.by_name(outputs.probabilities)
        return Reply(
            200,
            b'{"prediction":%b,"probabilities":%b}' % (predictions, orjson.dumps(chances[0] if single else chances)),
        )
