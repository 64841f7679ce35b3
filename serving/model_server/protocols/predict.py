"""Slipway's own `POST /predict`: `{"features": ..}` -> `{"prediction": ..}`, or a table in and a table out."""

from __future__ import annotations

import orjson

from model_server.bodies import arrow_rows, csv_rows
from model_server.bodies.json_rows import decode_rows, read_rows
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

    def is_plain(self, request: Request) -> bool:
        """Whether it is JSON in and JSON out and nothing else is asked: what `answer_together` takes."""
        return (
            request.media_type == JSON
            and request.accept in {"", "*/*", JSON}
            and not request.header("QUERY_STRING")
            and not request.header("HTTP_CONTENT_ENCODING")
        )

    def answer_together(self, requests: list[Request]) -> list[Reply]:
        """The replies to plain requests, from one call of the model.

        Raises:
            RequestError: something is wrong with one of them; none is answered.
        """
        schema, labels, max_rows = self._model.schema, self._model.labels, self._settings.max_rows
        tables = [decode_rows(request.body, "features", schema, max_rows) for request in requests]
        inputs = schema.inputs([row for rows, _ in tables for row in rows])
        predictions = labels.each_json(self._model.predict(inputs).predicted)
        replies, start = [], 0
        for rows, single in tables:
            end = start + len(rows)
            text = predictions[start] if single else b"[%b]" % b",".join(predictions[start:end])
            replies.append(Reply(200, b'{"prediction":%b}' % text))
            start = end
        return replies

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
