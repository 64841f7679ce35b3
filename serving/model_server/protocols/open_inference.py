"""The Open Inference Protocol, version 2, over REST: `POST /v2/models/<model>/infer` and the metadata beside it.

Inputs are either one table, shape [rows, features], for a model whose features are all numbers, under any name; or one
tensor a feature by its name, shape [rows] or [rows, 1], text as BYTES. Outputs are `predict` and `predict_proba`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np  # noqa: TID253
import numpy.typing as npt  # noqa: TID253
import orjson

from model_server.bodies.json_rows import check_rows, load
from model_server.errors import MalformedError, SchemaError, UnsupportedError
from model_server.message import JSON, Reply, Request
from model_server.model import Model
from model_server.protocols import tensors
from model_server.protocols.model_card import OUTPUTS, ModelCard
from model_server.protocols.protocol import JsonErrors
from model_server.runtime import Outputs
from model_server.schema import Inputs, stacked
from model_server.settings import Settings

Array = npt.NDArray[Any]

BINARY = "application/octet-stream"
HEADER_LENGTH = "Inference-Header-Content-Length"


class Wanted(NamedTuple):
    """One output that the client asked for."""

    name: str
    binary: bool


class OpenInference(JsonErrors):
    """Inference; see the module."""

    name = "open_inference"

    def __init__(self, model: Model, settings: Settings) -> None:
        self._model, self._settings = model, settings
        self._card = ModelCard(model)
        self._elements = np.array([tensors.element(name) for name in model.labels.names], dtype=object)

    def answer(self, request: Request) -> Reply:
        """See the module."""
        self._card.check(request)
        head, data = self._split(request)
        wanted = self._wanted(head)
        inputs = self._inputs(_tensors(head, data))
        outputs = self._model.predict(inputs, probabilities=any(output.name == OUTPUTS[1] for output in wanted))
        return self._write(head, wanted, outputs)

    def _split(self, request: Request) -> tuple[dict[str, Any], memoryview]:
        """The JSON part and the bytes behind it."""
        if request.media_type not in {JSON, BINARY, ""}:
            raise UnsupportedError(f"Content-Type {request.media_type[:60]}, allowed: {JSON}, {BINARY}")
        content = request.content(self._settings.max_body_bytes)
        said = request.header("HTTP_INFERENCE_HEADER_CONTENT_LENGTH")
        if said is not None and (not said.isdecimal() or len(said) > 18 or int(said) > len(content)):
            raise MalformedError(f"{HEADER_LENGTH} {said[:20]!r} for a body of {len(content)} bytes")
        end = len(content) if said is None else int(said)
        head = load(content[:end], self._settings.max_rows)
        if not isinstance(head, dict) or not isinstance(head.get("inputs"), list) or not head["inputs"]:
            raise MalformedError('the body must be JSON like {"inputs": [{"name", "shape", "datatype", "data"}, ..]}')
        if not isinstance(head.get("id", ""), str | None):
            raise MalformedError('"id" must be text')
        return head, memoryview(content)[end:]

    def _wanted(self, head: dict[str, Any]) -> list[Wanted]:
        all_binary = _parameters(head).get("binary_data_output") is True
        asked = head.get("outputs")
        if asked is None or asked == []:
            asked = [{"name": OUTPUTS[0]}]
        if not isinstance(asked, list) or not all(isinstance(output, dict) for output in asked):
            raise MalformedError('"outputs" must be a list of objects')
        offered = OUTPUTS if self._model.has_probabilities else OUTPUTS[:1]
        for output in asked:
            if output.get("name") not in offered:
                raise MalformedError(f"output {str(output.get('name'))[:40]!r}, this model has {', '.join(offered)}")
        if len({output["name"] for output in asked}) != len(asked):
            raise MalformedError("an output is asked for twice")
        return [Wanted(each["name"], _parameters(each).get("binary_data", all_binary) is True) for each in asked]

    def _inputs(self, given: dict[str, Array]) -> Inputs:
        schema = self._model.schema
        [(name, first), *others] = given.items()
        is_table = first.ndim == 2 and first.shape[1] == len(schema.names) != 1
        if not others and not schema.text and (is_table or name not in schema.names):
            return self._table(first)
        if unknown := [name for name in given if name not in schema.names]:
            raise SchemaError(f"unknown input {unknown[0]!r:.60}; the inputs are {', '.join(schema.names[:20])}")
        return self._columns(given)

    def _table(self, table: Array) -> Inputs:
        schema = self._model.schema
        if table.ndim != 2 or table.shape[1] != len(schema.names) or table.dtype == object:
            raise SchemaError(
                f"a table of shape {list(table.shape)}, allowed: numbers of shape [rows, {len(schema.names)}]"
            )
        return schema.checked(table, None, self._rows(table))

    def _columns(self, given: dict[str, Array]) -> Inputs:
        schema, rows = self._model.schema, self._rows(next(iter(given.values())))
        for name, column in given.items():
            if column.shape not in {(rows,), (rows, 1)}:
                raise SchemaError(f"input {name!r}: shape {list(column.shape)}, allowed: [{rows}] or [{rows}, 1]")
        columns = [self._column(feature, given.get(feature["name"]), rows) for feature in schema.features]
        numbers = stacked((columns[place] for place in schema.numeric), len(schema.numeric), rows, np.float64)
        categories = stacked((columns[place] for place in schema.text), len(schema.text), rows, object)
        return schema.checked(numbers, categories, rows)

    def _column(self, feature: dict[str, Any], column: Array | None, rows: int) -> Array:
        is_text = feature["type"] == "category"
        if column is None:
            if not feature["nullable"]:
                raise SchemaError(f"input {feature['name']!r} is missing and may not be null")
            return np.full(rows, "" if is_text else np.nan, dtype=object if is_text else np.float64)
        if (column.dtype == object) != is_text:
            raise SchemaError(f"input {feature['name']!r}: allowed: {'BYTES' if is_text else 'numbers'}")
        return column.reshape(rows)

    def _rows(self, array: Array) -> int:
        check_rows(len(array), self._settings.max_rows)
        if not len(array):
            raise SchemaError("the inputs have no row")
        return len(array)

    def _write(self, head: dict[str, Any], wanted: list[Wanted], outputs: Outputs) -> Reply:
        parts: list[bytes] = []
        raw: list[bytes] = []
        for output in wanted:
            values, datatype = self._values(output.name, outputs, binary=output.binary)
            parts.append(self._described(output, values, datatype, raw))
        body = b'{"model_name":%b,"model_version":%b%b,"outputs":[%b]}' % (
            orjson.dumps(self._model.name),
            orjson.dumps(self._model.version),
            b',"id":' + orjson.dumps(head["id"]) if head.get("id") is not None else b"",
            b",".join(parts),
        )
        if not raw:
            return Reply(200, body)
        return Reply(200, b"".join([body, *raw]), BINARY, ((HEADER_LENGTH, str(len(body))),))

    def _values(self, name: str, outputs: Outputs, *, binary: bool) -> tuple[Array, str]:
        if name == OUTPUTS[1]:
            assert outputs.probabilities is not None
            return outputs.probabilities, "FP32"
        datatype = self._card.label_datatype
        if datatype == "BYTES" and binary:
            return self._elements[outputs.predicted], datatype
        classes = self._model.labels.classes
        return (outputs.predicted if classes is None else np.array(classes, dtype=object)[outputs.predicted]), datatype

    def _described(self, output: Wanted, values: Array, datatype: str, raw: list[bytes]) -> bytes:
        shape = [len(values), values.shape[1] if values.ndim > 1 else 1]
        # MLServer's clients decode by this parameter.
        parameters: dict[str, Any] = {"content_type": "str" if datatype == "BYTES" else "np"}
        if output.binary:
            raw.append(tensors.to_bytes(values, datatype))
            parameters["binary_data_size"] = len(raw[-1])
        described = orjson.dumps({"name": output.name, "datatype": datatype, "shape": shape, "parameters": parameters})
        if output.binary:
            return described
        data = orjson.dumps(values.tolist()) if values.dtype == object else tensors.to_json(values)
        return b'%b,"data":%b}' % (described[:-1], data)


def _parameters(part: dict[str, Any]) -> dict[str, Any]:
    parameters = part.get("parameters")
    if not isinstance(parameters, dict | None):
        raise MalformedError('"parameters" must be an object')
    return parameters or {}


def _tensors(head: dict[str, Any], data: memoryview) -> dict[str, Array]:
    """The inputs by name; raises unless the bytes behind the JSON are used up exactly."""
    found: dict[str, Array] = {}
    for tensor in head["inputs"]:
        if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str) or tensor["name"] in found:
            raise MalformedError('each of "inputs" must be an object with a "name" of its own')
        size = _parameters(tensor).get("binary_data_size")
        if size is None:
            found[tensor["name"]] = tensors.from_json(tensor)
            continue
        if type(size) is not int or not 0 <= size <= len(data):
            raise MalformedError(f"binary_data_size {str(size)[:20]}, {len(data)} bytes are left")
        found[tensor["name"]], data = tensors.from_bytes(tensor, data[:size]), data[size:]
    if len(data):
        raise MalformedError(f"{len(data)} bytes behind the JSON belong to no input")
    return found
