"""The request that each protocol wants for the same rows, and the labels in its answer.

A form is named `<protocol>` for JSON; `arrow` and `binary` are the two that only our own server speaks.
Open Inference Protocol V2: a table of numbers alone is one tensor [rows, features], else each feature is a tensor [rows].
Arrow: an IPC stream of one record batch, a column a feature.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.serving.bundles import ServedModel

ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True)
class Request:
    """What is posted, where, and how the labels are read from the answer's body and headers."""

    path: str
    body: bytes
    labels: Callable[[bytes, dict[str, str]], list[Any]]
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


def slipway(model: ServedModel, rows: int) -> Request:
    """`{"features": row or rows}` to `{"prediction": label or labels}`."""
    features = model.rows[0] if rows == 1 else model.rows[:rows]

    def labels(body: bytes, _: dict[str, str]) -> list[Any]:
        found = json.loads(body)["prediction"]
        return found if isinstance(found, list) else [found]

    return Request("/predict", _json({"features": features}), labels)


def bentoml(model: ServedModel, rows: int) -> Request:
    """The argument of the batchable method, and its bare result."""
    return Request("/predict", _json({"rows": model.rows[:rows]}), lambda body, _: list(json.loads(body)))


def mlflow(model: ServedModel, rows: int) -> Request:
    """MLflow's scoring forms: a table by columns where there is text, else a tensor."""
    table = model.rows[:rows]
    asked = {"inputs": table} if all(model.numeric) else {"dataframe_split": {"columns": model.names, "data": table}}
    return Request("/invocations", _json(asked), lambda body, _: _decoded(model, json.loads(body)["predictions"]))


def mlserver(model: ServedModel, rows: int) -> Request:
    """V2 in JSON, with the hints that MLServer's codecs need."""
    table = model.rows[:rows]
    if all(model.numeric):
        tensor = {
            "name": "predict",
            "shape": [rows, len(model.names)],
            "datatype": "FP64",
            "data": [value for row in table for value in row],
        }
        asked: dict[str, Any] = {"inputs": [tensor | {"parameters": {"content_type": "np"}}]}
    else:
        columns = zip(model.names, model.numeric, zip(*table, strict=True), strict=True)
        asked = {"inputs": [_column(*column) for column in columns], "parameters": {"content_type": "pd"}}
    return Request(
        "/v2/models/model/infer", _json(asked), lambda body, _: _decoded(model, json.loads(body)["outputs"][0]["data"])
    )


def binary(model: ServedModel, rows: int) -> Request:
    """V2 with the binary tensor extension in both directions."""
    tensors = _tensors(model, rows)
    head = {
        "inputs": [tensor for tensor, _ in tensors],
        "outputs": [{"name": "predict", "parameters": {"binary_data": True}}],
    }
    text = _json(head)
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(text))}
    body = text + b"".join(data for _, data in tensors)
    return Request(f"/v2/models/{model.name}/infer", body, lambda *answer: _binary_labels(model, *answer), headers)


def arrow(model: ServedModel, rows: int) -> Request:
    """An Arrow IPC stream in both directions."""
    import pyarrow as pa

    columns = zip(*model.rows[:rows], strict=True)
    batch = pa.record_batch([pa.array(column) for column in columns], names=model.names)
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, batch.schema) as writer:
        writer.write_batch(batch)

    def labels(body: bytes, _: dict[str, str]) -> list[Any]:
        table = pa.ipc.open_stream(body).read_all()
        return list(table.column("prediction").to_pylist())

    return Request("/predict", stream.getvalue(), labels, {"Content-Type": ARROW, "Accept": ARROW})


PROTOCOLS: dict[str, Callable[[ServedModel, int], Request]] = {
    "slipway": slipway,
    "bentoml": bentoml,
    "mlflow": mlflow,
    "mlserver": mlserver,
    "binary": binary,
    "arrow": arrow,
}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _decoded(model: ServedModel, codes: list[Any]) -> list[Any]:
    """Servers that know the pipeline alone answer with codes."""
    return [model.classes[int(code)] for code in codes]


def _column(name: str, numeric: bool, values: tuple[Any, ...]) -> dict[str, Any]:
    kind = {"datatype": "INT64"} if numeric else {"datatype": "BYTES", "parameters": {"content_type": "str"}}
    return {"name": name, "shape": [len(values), 1], "data": list(values), **kind}


def _tensors(model: ServedModel, rows: int) -> list[tuple[dict[str, Any], bytes]]:
    import numpy as np

    table = model.rows[:rows]
    if all(model.numeric):
        shape = [rows, len(model.names)]
        return [_tensor("features", "FP32", shape, np.array(table, "<f4").tobytes())]
    found = []
    for name, numeric, values in zip(model.names, model.numeric, zip(*table, strict=True), strict=True):
        data = np.array(values, "<f4").tobytes() if numeric else b"".join(map(_length_prefixed, values))
        found.append(_tensor(name, "FP32" if numeric else "BYTES", [rows], data))
    return found


def _tensor(name: str, datatype: str, shape: list[int], data: bytes) -> tuple[dict[str, Any], bytes]:
    parameters = {"binary_data_size": len(data)}
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}, data


def _length_prefixed(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def _binary_labels(model: ServedModel, body: bytes, headers: dict[str, str]) -> list[Any]:
    """The first output: labels as BYTES or BOOL, or codes as a number."""
    length = int(headers["inference-header-content-length"])
    output, data = json.loads(body[:length])["outputs"][0], body[length:]
    if output["datatype"] == "BYTES":
        return _texts(data[: output["parameters"]["binary_data_size"]])
    import numpy as np

    kind = {"BOOL": "?", "INT64": "<i8", "INT32": "<i4", "FP32": "<f4", "FP64": "<f8"}[output["datatype"]]
    values = np.frombuffer(data, kind).tolist()
    return values if kind == "?" else _decoded(model, values)


def _texts(data: bytes) -> list[str]:
    found, place = [], 0
    while place < len(data):
        (length,) = struct.unpack_from("<I", data, place)
        found.append(data[place + 4 : place + 4 + length].decode())
        place += 4 + length
    return found
