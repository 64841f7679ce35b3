"""A client that asks with MLServer's own codecs, run in MLServer's environment: `codec_client.py <url> <case>` prints JSON."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec, StringCodec, StringRequestCodec
from mlserver.types import InferenceRequest, InferenceResponse, RequestOutput

FLOWERS = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]])
FLIGHTS = pd.DataFrame(
    {
        "carrier": ["AA", "Æ", "UA"],
        "hour": [3, 4, 22],
        "night": [False, False, True],
        "delay": [1.5, np.nan, 90.0],
    }
).astype({"carrier": object})  # MLServer 1.7 does not know pandas' own text type


def ask(url: str, request: InferenceRequest, *outputs: str) -> InferenceResponse:
    request.outputs = [RequestOutput(name=name) for name in outputs] or None
    body = request.model_dump_json(exclude_none=True).encode()
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return InferenceResponse.model_validate_json(answer.read())


def numpy_request(url: str) -> Any:
    """The whole request is one array."""
    predicted = ask(url, NumpyRequestCodec.encode_request(FLOWERS.astype(np.float32)))
    both = ask(url, NumpyRequestCodec.encode_request(FLOWERS), "predict", "predict_proba")
    alone = ask(url, NumpyRequestCodec.encode_request(FLOWERS), "predict_proba")
    return {
        "by request": StringRequestCodec.decode_response(predicted),
        "by output": StringCodec.decode_output(both.outputs[0]),
        "probabilities": NumpyCodec.decode_output(both.outputs[1]).tolist(),
        "probabilities alone": NumpyRequestCodec.decode_response(alone).tolist(),
        "as a frame": PandasCodec.decode_response(predicted)["predict"].tolist(),
    }


def pandas_request(url: str) -> Any:
    """A frame: one tensor a column, NaN as null."""
    answer = ask(url, PandasCodec.encode_request(FLIGHTS), "predict", "predict_proba")
    return {
        "predictions": StringCodec.decode_output(answer.outputs[0]),
        "probabilities": NumpyCodec.decode_output(answer.outputs[1]).tolist(),
    }


def input_by_input(url: str) -> Any:
    """Each tensor by a codec of its own."""
    inputs = [
        StringCodec.encode_input("carrier", FLIGHTS["carrier"].tolist()),
        *(NumpyCodec.encode_input(name, FLIGHTS[name].to_numpy()) for name in ("hour", "night", "delay")),
    ]
    answer = ask(url, InferenceRequest(inputs=inputs), "predict", "predict_proba")
    return {
        "predictions": StringCodec.decode_output(answer.outputs[0]),
        "probabilities": NumpyCodec.decode_output(answer.outputs[1]).tolist(),
    }


CASES: dict[str, Callable[[str], Any]] = {
    "numpy_request": numpy_request,
    "pandas_request": pandas_request,
    "input_by_input": input_by_input,
}

if __name__ == "__main__":
    json.dump(CASES[sys.argv[2]](sys.argv[1]), sys.stdout)
