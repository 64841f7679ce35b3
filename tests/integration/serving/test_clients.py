"""The Open Inference Protocol as its users' clients speak it, unmodified: Triton's client, binary by default and JSON by wish,
and MLServer's codecs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tritonclient.http as triton

from slipway.core.model_file import Train
from tests.bundle_maker import make_bundle
from tests.integration.serving.served import served
from tests.integration.serving.trained import MIXED, Trained, make_trained, mixed_rows
from tests.parts import require_environment

HERE = Path(__file__).parent
FLOWERS = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]], dtype=np.float32)
DATATYPES = {"carrier": "BYTES", "hour": "INT64", "night": "BOOL", "delay": "FP32"}


@pytest.fixture(scope="module")
def iris_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    bundle = tmp_path_factory.mktemp("iris") / "bundle"
    digest = make_bundle(bundle)
    with served(bundle, digest) as address:
        yield address


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    wanted = Train(estimator="sklearn.linear_model.LogisticRegression")
    return make_trained(tmp_path_factory.mktemp("flights"), mixed_rows(), MIXED, wanted, model="flights")


@pytest.fixture(scope="module")
def flights_address(flights: Trained) -> Iterator[str]:
    with served(flights.folder, flights.digest) as address:
        yield address


@pytest.fixture
def iris(iris_address: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(iris_address) as client:
        yield client


@pytest.fixture
def flights_client(flights_address: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(flights_address) as client:
        yield client


def tensor(name: str, values: np.ndarray, datatype: str, *, binary: bool = True) -> triton.InferInput:
    made = triton.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def table(rows: np.ndarray = FLOWERS, *, binary: bool = True) -> list[triton.InferInput]:
    return [tensor("input", rows, "FP32", binary=binary)]


def wanted(*names: str, binary: bool = True) -> list[triton.InferRequestedOutput]:
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


def species(result: triton.InferResult) -> list[Any]:
    """Binary elements come as bytes, those in JSON as text: the client's own way."""
    return [each.decode() if isinstance(each, bytes) else each for each in result.as_numpy("predict").reshape(-1)]


def test_server_and_model_tell_about_themselves(iris: triton.InferenceServerClient) -> None:
    assert iris.is_server_live()
    assert iris.is_server_ready()
    assert iris.is_model_ready("iris")
    assert not iris.is_model_ready("tulip")
    assert iris.get_server_metadata()["extensions"] == ["binary_tensor_data", "model_repository"]
    metadata = iris.get_model_metadata("iris")
    assert metadata["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 4]}]
    assert [output["name"] for output in metadata["outputs"]] == ["predict", "predict_proba"]
    [version] = metadata["versions"]
    assert iris.is_model_ready("iris", version)
    assert iris.get_model_metadata("iris", version) == metadata
    assert iris.get_model_repository_index() == [{"name": "iris", "version": version, "state": "READY", "reason": ""}]


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_a_table_of_numbers(
    iris: triton.InferenceServerClient, compression: str | None, binary_in: bool, binary_out: bool
) -> None:
    """Compressed requests are read. Answers are never compressed, which HTTP allows (RFC 9110, 12.5.3)."""
    result = iris.infer(
        "iris",
        table(binary=binary_in),
        outputs=wanted("predict", "predict_proba", binary=binary_out),
        request_id="7",
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    assert species(result) == ["setosa", "virginica"]
    chances = result.as_numpy("predict_proba")
    assert (chances.dtype, chances.shape) == (np.float32, (2, 3))
    assert chances.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert result.get_response()["id"] == "7"


def test_outputs_are_selectable(iris: triton.InferenceServerClient) -> None:
    default = iris.infer("iris", table()).get_response()
    assert [output["name"] for output in default["outputs"]] == ["predict"]
    chances = iris.infer("iris", table(), outputs=wanted("predict_proba"))
    assert chances.as_numpy("predict") is None
    assert chances.as_numpy("predict_proba").shape == (2, 3)
    mixed = [*wanted("predict", binary=False), *wanted("predict_proba")]
    both = iris.infer("iris", table(), outputs=mixed)
    assert species(both) == ["setosa", "virginica"]
    assert np.array_equal(both.as_numpy("predict_proba"), chances.as_numpy("predict_proba"))


def test_many_rows_and_a_version_by_name(iris: triton.InferenceServerClient) -> None:
    [version] = iris.get_model_metadata("iris")["versions"]
    rows = np.tile(FLOWERS, (5000, 1))
    result = iris.infer("iris", table(rows), model_version=version)
    assert species(result) == ["setosa", "virginica"] * 5000


def test_asynchronous_and_with_the_client_s_other_options(iris: triton.InferenceServerClient) -> None:
    asked = iris.async_infer("iris", table(), priority=1, timeout=10_000_000, parameters={"caller": "test"})
    assert species(asked.get_result()) == ["setosa", "virginica"]


@pytest.mark.parametrize(
    ("ask", "status", "text"),
    [
        (lambda c: c.infer("tulip", table()), "404", "there is no model 'tulip'; this server has iris"),
        (lambda c: c.infer("iris", table(), model_version="9"), "404", "there is no version '9'"),
        (lambda c: c.get_model_metadata("tulip"), "404", "there is no model 'tulip'"),
        (lambda c: c.infer("iris", table(), outputs=wanted("logits")), "400", "this model has predict, predict_proba"),
        (lambda c: c.infer("iris", table(FLOWERS[:, :2])), "422", "a table of shape [2, 2], allowed: numbers of"),
        (lambda c: c.infer("iris", table(FLOWERS[0])), "422", "a table of shape [4], allowed: numbers of shape"),
        (lambda c: c.infer("iris", table(-FLOWERS)), "422", "row 1: sepal_length: found -5.0"),
        (lambda c: c.infer("iris", table(FLOWERS * np.nan)), "422", "row 1: sepal_length: found None, allowed: not"),
        (lambda c: c.get_model_config("iris"), "404", "not found: GET /v2/models/iris/config"),
        (lambda c: c.load_model("iris"), "404", "not found: POST /v2/repository/models/iris/load"),
    ],
)
def test_an_error_is_the_client_s_own_exception_with_our_text(
    iris: triton.InferenceServerClient, ask: Callable[[Any], Any], status: str, text: str
) -> None:
    with pytest.raises(triton.InferenceServerException) as caught:
        ask(iris)
    assert caught.value.status() == status
    assert text in caught.value.message()


@pytest.mark.parametrize("binary", [True, False])
def test_one_tensor_a_feature(flights: Trained, flights_client: triton.InferenceServerClient, binary: bool) -> None:
    """Every row that training held out; the empty text is null. NaN only in binary: JSON has none."""
    rows = flights.rows if binary else flights.rows[flights.rows["delay"].notna()]
    kinds = {"BYTES": object, "INT64": np.int64, "BOOL": np.bool_, "FP32": np.float32}
    inputs = [
        tensor(name, rows[[name]].to_numpy().astype(kinds[datatype]), datatype, binary=binary)
        for name, datatype in DATATYPES.items()
    ]
    assert {i["name"]: i["datatype"] for i in flights_client.get_model_metadata("flights")["inputs"]} == DATATYPES
    result = flights_client.infer("flights", inputs, outputs=wanted("predict", "predict_proba"))
    expected = flights.pipeline.predict(rows)
    assert species(result) == [flights.metadata["classes"][code] for code in expected]
    np.testing.assert_allclose(result.as_numpy("predict_proba"), flights.pipeline.predict_proba(rows), atol=1e-5)


def test_a_wrong_category_and_a_missing_feature(flights_client: triton.InferenceServerClient) -> None:
    def column(value: Any, kind: Any = np.int64) -> np.ndarray:
        return np.array([[value]], dtype=kind)

    night = tensor("night", column(True, np.bool_), "BOOL")
    hour = tensor("hour", column(3), "INT64")
    with pytest.raises(triton.InferenceServerException, match=r"input 'carrier': allowed: BYTES"):
        flights_client.infer("flights", [tensor("carrier", column(3), "INT64"), hour, night])
    with pytest.raises(triton.InferenceServerException, match=r"input 'hour' is missing and may not be null"):
        flights_client.infer("flights", [night])
    with pytest.raises(triton.InferenceServerException, match=r"row 1: hour: found 24.0, allowed: 0.0 to 23.0"):
        flights_client.infer("flights", [tensor("hour", column(24), "INT64"), night])
    assert species(flights_client.infer("flights", [hour, night])) == ["no"]  # the nullable ones may be left out


def ask_with_codecs(address: str, model: str, case: str) -> Any:
    """Run a case of `codec_client.py` where MLServer is installed."""
    python = require_environment(HERE / "mlserver.txt") / "python"
    command = [python, HERE / "codec_client.py", f"http://{address}/v2/models/{model}/infer", case]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_mlserver_s_codecs_for_one_table(iris_address: str, iris: triton.InferenceServerClient) -> None:
    found = ask_with_codecs(iris_address, "iris", "numpy_request")
    assert found["by request"] == found["by output"] == found["as a frame"] == ["setosa", "virginica"]
    expected = iris.infer("iris", table(), outputs=wanted("predict_proba")).as_numpy("predict_proba")
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-7)
    np.testing.assert_allclose(found["probabilities alone"], expected, atol=1e-7)


@pytest.mark.parametrize("case", ["pandas_request", "input_by_input"])
def test_mlserver_s_codecs_for_one_tensor_a_feature(flights: Trained, flights_address: str, case: str) -> None:
    """The rows of `codec_client.FLIGHTS`; its NaN travels as null."""
    rows = pd.DataFrame(
        {"carrier": ["AA", "Æ", "UA"], "hour": [3, 4, 22], "night": [0, 0, 1], "delay": [1.5, np.nan, 90.0]}
    )
    found = ask_with_codecs(flights_address, "flights", case)
    assert found["predictions"] == [flights.metadata["classes"][code] for code in flights.pipeline.predict(rows)]
    np.testing.assert_allclose(found["probabilities"], flights.pipeline.predict_proba(rows), atol=1e-5)
