"""`POST /invocations`, which Amazon SageMaker and MLflow share.

SageMaker (its "Use your own inference code with hosting services"): the body in CSV, JSON, JSON Lines and more by
Content-Type, the answer in what Accept likes. MLflow (its "scoring server" protocol): JSON with one of the keys
`dataframe_split`, `dataframe_records`, `instances`, `inputs`, answered with `{"predictions": [..]}`.
"""

from __future__ import annotations

import io
from typing import Any

import orjson

from model_server.bodies import csv_rows, npy_rows
from model_server.bodies.json_rows import check_rows, find_inputs, first_rows, load
from model_server.bodies.media_types import FORMS, choose
from model_server.bodies.tables import as_columns, reader_of
from model_server.errors import MalformedError, RequestError, SchemaError
from model_server.message import JSON, Reply, Request
from model_server.model import Model
from model_server.protocols.protocol import JsonErrors
from model_server.runtime import Outputs
from model_server.schema import Inputs
from model_server.settings import Settings

READS = ", ".join(FORMS)
MAKES = (JSON, "text/csv", "application/jsonlines", "application/x-npy")
MLFLOW_KEYS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class Invocations(JsonErrors):
    """Whatever the two send; see the module."""

    name = "invocations"

    def __init__(self, model: Model, settings: Settings) -> None:
        self._model, self._settings = model, settings

    def answer(self, request: Request) -> Reply:
        """The default answer is JSON, and CSV to CSV."""
        form = FORMS.get(request.media_type)
        content = request.content(self._settings.max_body_bytes)
        inputs = self._inputs(form, request.media_type, content)
        offered = (MAKES[1], *MAKES) if form == "csv" and request.accept in {"", "*/*"} else MAKES
        made = choose(request.accept, offered)
        outputs = self._model.predict(inputs, probabilities=request.flag("probabilities"))
        return self._write(outputs, made)

    def refuse(self, error: RequestError) -> Reply:
        """MLflow's clients look for `error_code` and `message`, SageMaker's show the body as it is."""
        reply = super().refuse(error)
        codes = {401: "UNAUTHENTICATED", 500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE"}
        body = {"error_code": codes.get(error.status, "BAD_REQUEST"), "message": str(error), "error": str(error)}
        return reply._replace(body=orjson.dumps(body))

    def _inputs(self, form: str | None, media_type: str, content: bytes) -> Inputs:
        schema, limit = self._model.schema, self._settings.max_rows
        if form == "json":
            return self._json(content)
        if form == "jsonl":
            lines = first_rows((line for line in io.BytesIO(content) if line.strip()), limit)
            values = [load(line, limit) for line in lines]
            return self._rows([_row_of(value) for value in values])
        return reader_of(form, media_type, READS)(content, schema, limit)

    def _json(self, content: bytes) -> Inputs:
        schema, limit = self._model.schema, self._settings.max_rows
        if (inputs := find_inputs(content, ("instances", "inputs"), schema, limit)) is not None:
            return inputs
        body = load(content, limit)
        if isinstance(body, list):
            return self._rows(body)
        if not isinstance(body, dict):
            raise MalformedError("the JSON body must be an object or a list of rows")
        keys = [key for key in (*MLFLOW_KEYS, "features") if key in body]
        if len(keys) != 1:
            raise MalformedError(f"the body must have exactly one of {', '.join((*MLFLOW_KEYS, 'features'))}")
        return self._rows(self._table(keys[0], body[keys[0]]), keys[0])

    def _table(self, key: str, value: Any) -> Any:
        if key == "dataframe_split":
            return _from_split(value)
        if (
            key in {"inputs", "instances"}
            and isinstance(value, dict)
            and any(isinstance(v, list) for v in value.values())
        ):
            return _from_columns(value)
        return value

    def _rows(self, value: Any, key: str = "rows") -> Inputs:
        rows, _ = self._model.schema.rows_of(value, key)
        check_rows(len(rows), self._settings.max_rows)
        return self._model.schema.inputs(rows)

    def _write(self, outputs: Outputs, media_type: str) -> Reply:
        labels = self._model.labels
        if media_type == MAKES[0] and outputs.probabilities is None:
            return Reply(200, b'{"predictions":%b}' % labels.all_json(outputs.predicted))
        if media_type == MAKES[1]:
            return Reply(200, csv_rows.write(as_columns(outputs, labels)), "text/csv; charset=utf-8")
        if media_type == MAKES[3]:
            chosen = outputs.probabilities if outputs.probabilities is not None else labels.values(outputs.predicted)
            return Reply(200, npy_rows.write(chosen), media_type)
        records = [{"prediction": value} for value in labels.values(outputs.predicted)]
        if outputs.probabilities is not None:
            for record, chances in zip(records, labels.by_name(outputs.probabilities), strict=True):
                record["probabilities"] = chances  # type: ignore[assignment]
        if media_type == MAKES[0]:
            return Reply(200, orjson.dumps({"predictions": records}))
        return Reply(200, b"".join(orjson.dumps(record) + b"\n" for record in records), media_type)


def _row_of(value: Any) -> Any:
    """A line of JSON Lines: a row, or SageMaker's ``{"features": row}``."""
    if not isinstance(value, dict | list):  # together, lines of one value each would pass for a row
        raise MalformedError("every line must be a row: a list of values, or an object by name")
    return value["features"] if isinstance(value, dict) and set(value) == {"features"} else value


def _from_split(value: Any) -> list[dict[str, Any]]:
    """pandas' split orientation: columns and data, or data alone in the features' order."""
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise MalformedError('"dataframe_split" must be {"columns": [..], "data": [[..], ..]}')
    columns: Any = value.get("columns")
    rows: list[Any] = value["data"]
    if columns is None:
        return rows
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise MalformedError('"columns" of "dataframe_split" must be a list of names')
    if len(set(columns)) != len(columns):
        raise SchemaError('"columns" of "dataframe_split" names a column twice')
    if any(not isinstance(row, list) or len(row) != len(columns) for row in rows):
        raise SchemaError(f'every row of "dataframe_split" must have {len(columns)} values, like its columns')
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _from_columns(value: dict[str, Any]) -> list[dict[str, Any]]:
    """MLflow's tensor form by name: ``{"feature": [value, ..], ..}``."""
    lengths = {len(column) if isinstance(column, list) else -1 for column in value.values()}
    if len(lengths) != 1 or -1 in lengths:
        raise SchemaError("every column must be a list, all of one length")
    return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
