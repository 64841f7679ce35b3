"""Requests as SageMaker, Vertex AI and MLflow send them, and tables as pandas and pyarrow write them, to a real server."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import requests

from model_server.options import SAGEMAKER_PORT, parse
from slipway.core.model_file import Train
from tests.bundle_maker import make_bundle
from tests.integration.serving.served import free_port, served
from tests.integration.serving.trained import MIXED, Trained, make_trained, mixed_rows

NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
SPECIES = ["setosa", "virginica"]
FRAME = pd.DataFrame(FLOWERS, columns=NAMES)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Started by SageMaker's command, with Vertex AI's environment: one server speaks both."""
    bundle = tmp_path_factory.mktemp("iris") / "bundle"
    digest = make_bundle(bundle)
    routes = {"AIP_HEALTH_ROUTE": "/health", "AIP_PREDICT_ROUTE": "/v1/endpoints/7:predict"}
    with served(bundle, digest, "serve", "--open", **routes) as address:
        yield f"http://{address}"


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    wanted = Train(estimator="sklearn.linear_model.LogisticRegression")
    return make_trained(tmp_path_factory.mktemp("flights"), mixed_rows(), MIXED, wanted)


@pytest.fixture(scope="module")
def flights_url(flights: Trained) -> Iterator[str]:
    """Started as Vertex AI starts a container: the port, too, comes by its variable."""
    routes = {"AIP_HTTP_PORT": str(free_port()), "AIP_HEALTH_ROUTE": "/health", "AIP_PREDICT_ROUTE": "/predict-vertex"}
    with served(flights.folder, flights.digest, **routes) as address:
        yield f"http://{address}"


def post(url: str, body: Any, content_type: str, accept: str | None = None) -> requests.Response:
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    answer = requests.post(url, data, headers={"Content-Type": content_type, "Accept": accept}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer


def as_csv(rows: list[list[Any]]) -> str:
    """What SageMaker's CSVSerializer makes of rows: no header, no line break at the end."""
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    return stream.getvalue().rstrip()


def as_npy(values: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


SENT = {
    "text/csv": as_csv(FLOWERS),
    "text/csv; charset=utf-8": as_csv([NAMES, *FLOWERS]),
    "application/json": json.dumps({"instances": FLOWERS}),
    "application/jsonlines": "\n".join(json.dumps({"features": row}) for row in FLOWERS),
    "application/x-npy": as_npy(FLOWERS),
}


def species_of(answer: requests.Response) -> list[str]:
    """The predictions, as SageMaker's deserializer of the answer's type reads them."""
    kind = answer.headers["Content-Type"].partition(";")[0]
    if kind == "text/csv":
        return [line[0] for line in csv.reader(answer.text.splitlines())]
    if kind == "application/json":
        return answer.json()["predictions"]
    if kind == "application/jsonlines":
        return [json.loads(line)["prediction"] for line in answer.text.splitlines()]
    assert kind == "application/x-npy"
    return np.load(io.BytesIO(answer.content), allow_pickle=False).tolist()


@pytest.mark.parametrize("accept", ["text/csv", "application/json", "application/jsonlines", "application/x-npy"])
@pytest.mark.parametrize("content_type", SENT)
def test_sagemaker_every_type_in_and_out(iris: str, content_type: str, accept: str) -> None:
    answer = post(f"{iris}/invocations", SENT[content_type], content_type, accept)
    assert answer.headers["Content-Type"].startswith(accept)
    assert species_of(answer) == SPECIES


def test_sagemaker_without_an_opinion(iris: str) -> None:
    """SageMaker sends `*/*` when its caller said nothing: CSV to CSV, else JSON."""
    assert requests.get(f"{iris}/ping", timeout=5).status_code == 200
    for content_type, expected in [("text/csv", "text/csv"), ("application/x-npy", "application/json")]:
        answer = post(f"{iris}/invocations", SENT[content_type], content_type, "*/*")
        assert answer.headers["Content-Type"].startswith(expected)


def test_sagemaker_probabilities(iris: str) -> None:
    url = f"{iris}/invocations?probabilities=true"
    table = pd.read_csv(io.StringIO(post(url, SENT["text/csv"], "text/csv", "text/csv").text))
    assert list(table.columns) == [
        "prediction",
        *(f"probability_{name}" for name in ("setosa", "versicolor", "virginica")),
    ]
    array = np.load(io.BytesIO(post(url, SENT["text/csv"], "text/csv", "application/x-npy").content))
    np.testing.assert_allclose(array, table.iloc[:, 1:], atol=1e-6)
    lines = post(url, SENT["text/csv"], "text/csv", "application/jsonlines").text.splitlines()
    np.testing.assert_allclose([[*json.loads(line)["probabilities"].values()] for line in lines], array, atol=1e-6)


def test_sagemaker_starts_a_container_with_the_word_serve_and_expects_a_port() -> None:
    given = parse(["serve", "--bundle", "b", "--digest", "sha256:0", "--open"], {})
    assert (given.port, given.host) == (SAGEMAKER_PORT, "0.0.0.0")


def test_vertex(iris: str) -> None:
    url = f"{iris}/v1/endpoints/7:predict"
    assert requests.get(f"{iris}/health", timeout=5).status_code == 200
    assert post(url, {"instances": FLOWERS}, "application/json").json() == {"predictions": SPECIES}
    named = {"instances": FRAME.to_dict("records"), "parameters": {"probabilities": True}}
    predictions = post(url, named, "application/json; charset=utf-8").json()["predictions"]
    assert [each["prediction"] for each in predictions] == SPECIES
    assert sum(predictions[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"instances": []}, 400, '"instances" must be'),
        ({"instances": FLOWERS[0]}, 400, '"instances" must be a list of rows'),
        ({"instances": [["x", 1, 1, 1]]}, 422, "row 1: sepal_length: found 'x', allowed: a number"),
        ({"instances": FLOWERS, "parameters": [1]}, 400, '"parameters" must be an object'),
        ({"rows": FLOWERS}, 400, 'the body must be JSON like {"instances": [..]}'),
    ],
)
def test_vertex_errors(iris: str, body: Any, status: int, text: str) -> None:
    """Vertex AI hands the container's text on to its caller."""
    answer = requests.post(f"{iris}/v1/endpoints/7:predict", json=body, timeout=5)
    assert answer.status_code == status
    assert text in answer.json()["error"]


def mlflow_forms() -> dict[str, Any]:
    split = json.loads(FRAME.to_json(orient="split"))
    turned = {"columns": NAMES[::-1], "data": FRAME[NAMES[::-1]].to_numpy().tolist()}
    return {
        "dataframe_split": {"dataframe_split": split},
        "dataframe_split, columns turned round": {"dataframe_split": turned},
        "dataframe_split, data alone": {"dataframe_split": {"data": FLOWERS}},
        "dataframe_records": {"dataframe_records": json.loads(FRAME.to_json(orient="records"))},
        "instances, rows": {"instances": FLOWERS},
        "instances, named rows": {"instances": FRAME.to_dict("records")},
        "instances, named columns": {"instances": FRAME.to_dict("list")},
        "inputs, rows": {"inputs": FLOWERS},
        "inputs, named columns": {"inputs": FRAME.to_dict("list")},
        "inputs with params": {"inputs": FLOWERS, "params": {"temperature": 0}},
    }


@pytest.mark.parametrize("form", mlflow_forms())
def test_mlflow(iris: str, form: str) -> None:
    answer = post(f"{iris}/invocations", mlflow_forms()[form], "application/json")
    assert answer.json() == {"predictions": SPECIES}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"dataframe_split": {"columns": NAMES, "data": [[1, 2]]}}, 422, "must have 4 values, like its columns"),
        ({"dataframe_split": FLOWERS}, 400, '"dataframe_split" must be'),
        ({"dataframe_records": [{"petal": 1}]}, 422, "row 1: unknown feature 'petal'"),
        ({"inputs": {"sepal_length": [1, 2], "sepal_width": [1]}}, 422, "all of one length"),
        ({"instances": FLOWERS, "inputs": FLOWERS}, 400, "exactly one of dataframe_split"),
        ({"nothing": 1}, 400, "exactly one of dataframe_split"),
        (7, 400, "the JSON body must be an object or a list of rows"),
    ],
)
def test_mlflow_errors_have_the_fields_its_client_reads(iris: str, body: Any, status: int, text: str) -> None:
    answer = requests.post(f"{iris}/invocations", json=body, timeout=5)
    assert answer.status_code == status
    assert answer.json()["error_code"] == "BAD_REQUEST"
    assert text in answer.json()["message"]


def tables(rows: pd.DataFrame) -> dict[str, bytes]:
    """The same rows as pandas and pyarrow write them: their own column types, nulls where a value is missing."""
    typed = rows.assign(
        carrier=rows["carrier"].replace("", None),
        hour=rows["hour"].astype(np.int64),
        night=rows["night"].astype(bool),
    )
    table = pa.Table.from_pandas(typed, preserve_index=False)
    shuffled, parquet, stream = table.select(["night", "delay", "carrier", "hour"]), io.BytesIO(), io.BytesIO()
    encoded = table.set_column(0, "carrier", table["carrier"].dictionary_encode())
    pa.parquet.write_table(encoded, parquet, compression="zstd")
    with pa.ipc.new_stream(stream, shuffled.schema) as writer:
        writer.write_table(shuffled, max_chunksize=7)
    return {
        "text/csv": typed.to_csv(index=False).encode(),
        "application/vnd.apache.parquet": parquet.getvalue(),
        "application/vnd.apache.arrow.stream": stream.getvalue(),
    }


@pytest.mark.parametrize(
    "content_type", ["text/csv", "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"]
)
@pytest.mark.parametrize("accept", ["application/json", "text/csv", "application/vnd.apache.arrow.stream"])
def test_tables_of_every_kind_of_feature(flights: Trained, flights_url: str, content_type: str, accept: str) -> None:
    body = tables(flights.rows)[content_type]
    answer = post(f"{flights_url}/predict?probabilities=true", body, content_type, accept)
    if accept == "application/json":
        got = pd.DataFrame(answer.json()["probabilities"]).assign(prediction=answer.json()["prediction"])
    elif accept == "text/csv":
        got = pd.read_csv(io.BytesIO(answer.content)).rename(columns=lambda name: name.removeprefix("probability_"))
    else:
        arrow = pa.ipc.open_stream(answer.content).read_pandas()
        got = arrow.rename(columns=lambda name: name.removeprefix("probability_"))
    classes = flights.metadata["classes"]
    assert got["prediction"].tolist() == [classes[code] for code in flights.pipeline.predict(flights.rows)]
    np.testing.assert_allclose(got[classes], flights.pipeline.predict_proba(flights.rows), atol=1e-5)


def test_vertex_names_and_nulls(flights: Trained, flights_url: str) -> None:
    rows = json.loads(flights.rows.replace({"carrier": {"": None}}).to_json(orient="records"))
    answer = post(f"{flights_url}/predict-vertex", {"instances": rows}, "application/json")
    classes = flights.metadata["classes"]
    assert answer.json()["predictions"] == [classes[code] for code in flights.pipeline.predict(flights.rows)]


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_numpy(iris: str, dtype: str, order: Any) -> None:
    array = np.array(FLOWERS, dtype=dtype, order=order)
    expected = post(f"{iris}/predict", {"features": array.astype(float).tolist()}, "application/json").json()
    assert post(f"{iris}/predict", as_npy(array), "application/x-npy").json() == expected


def test_what_a_table_cannot_be_is_said(flights_url: str) -> None:
    def refused(body: bytes, kind: str) -> tuple[int, str]:
        answer = requests.post(f"{flights_url}/predict", body, headers={"Content-Type": kind}, timeout=5)
        return answer.status_code, answer.json()["error"]

    parquet = io.BytesIO()
    pa.parquet.write_table(pa.table({"carrier": ["AA"], "hour": ["x"], "night": [True], "delay": [1.0]}), parquet)
    kind = "application/vnd.apache.parquet"
    assert refused(parquet.getvalue(), kind) == (422, "column hour: found string, allowed: numbers or booleans")
    assert refused(parquet.getvalue()[:-9], kind) == (400, "the body is not a Parquet file")
    assert refused(b"x", "application/vnd.apache.arrow.stream") == (400, "the body is not an Arrow IPC stream")
    assert refused(as_npy(FLOWERS), "application/x-npy")[0] == 415
    assert refused(b"hour,night\n3,yes\n", "text/csv") == (422, "row 1: night: found 'yes', allowed: a number")
    assert refused(b"hour,delay\n3,1\n", "text/csv")[1].startswith("row 1: 2 values for 4 features: carrier, hour")
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, pa.schema({"hour": pa.int8()})) as writer:
        writer.write_batch(pa.record_batch({"hour": pa.array([3], pa.int8())}))
    found = refused(stream.getvalue(), "application/vnd.apache.arrow.stream")
    assert found == (422, "there is no column 'night'; the features are carrier, hour, night, delay")


def test_columns_that_may_be_null_may_be_left_out(flights: Trained, flights_url: str) -> None:
    rows = flights.rows[["night", "hour"]].astype({"night": bool, "hour": int})
    table, parquet, stream = pa.Table.from_pandas(rows, preserve_index=False), io.BytesIO(), io.BytesIO()
    pa.parquet.write_table(table, parquet)
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    url = f"{flights_url}/predict"
    expected = post(url, {"features": rows.to_dict("records")}, "application/json").json()
    assert post(url, rows.to_csv(index=False), "text/csv").json() == expected
    assert post(url, parquet.getvalue(), "application/vnd.apache.parquet").json() == expected
    assert post(url, stream.getvalue(), "application/vnd.apache.arrow.stream").json() == expected
