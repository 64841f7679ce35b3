"""The model server's answers and refusals, on a real bundle through Flask's own client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from model_server.app import create_app
from model_server.bundle import open_bundle
from model_server.errors import BundleError
from model_server.model import Model
from model_server.schema import FeatureSchema
from model_server.settings import Settings
from tests.bundle_maker import make_bundle, write_manifest

ROW = [5.1, 3.5, 1.4, 0.2]
NAMED = dict(zip(["sepal_length", "sepal_width", "petal_length", "petal_width"], ROW, strict=True))


@pytest.fixture(params=["onnx", "joblib"])
def client(tmp_path: Path, request: pytest.FixtureRequest) -> FlaskClient:
    digest = make_bundle(tmp_path / "bundle", runtime=request.param)
    return serve(tmp_path / "bundle", digest)


def serve(bundle: Path, digest: str, *, warm: bool = True, max_rows: int = 1000) -> FlaskClient:
    settings = Settings(max_body_bytes=10_000, max_rows=max_rows, open_to_all=True)
    model = Model.load(open_bundle(bundle, digest))
    if warm:
        model.warm_up()
    return create_app(settings, model).test_client()


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        (ROW, "setosa"),
        (NAMED, "setosa"),
        ([ROW, [6.3, 3.3, 6.0, 2.5]], ["setosa", "virginica"]),
        ([NAMED], ["setosa"]),
        ([5, 3, 1, 0], "setosa"),
    ],
)
def test_a_prediction_comes_back_in_the_shape_it_was_asked(client: FlaskClient, features: Any, expected: Any) -> None:
    answer = client.post("/predict", json={"features": features})
    assert (answer.status_code, answer.json) == (200, {"prediction": expected})
    assert answer.headers["Slipway-Bundle"].startswith("sha256:")


def test_probabilities_on_request(client: FlaskClient) -> None:
    one = client.post("/predict?probabilities=true", json={"features": ROW}).json
    assert one is not None
    assert set(one["probabilities"]) == {"setosa", "versicolor", "virginica"}
    assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    many = client.post("/predict?probabilities=true", json={"features": [ROW, ROW]}).json
    assert many is not None
    assert len(many["probabilities"]) == 2


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"features": [5.1, 3.5]}, 422, "row 1: 2 values for 4 features: sepal_length, sepal_width"),
        ({"features": [ROW, ["x", 1, 1, 1]]}, 422, "row 2: sepal_length: found 'x', allowed: a number"),
        ({"features": [None, 1, 1, 1]}, 422, "row 1: sepal_length: found None, allowed: not null"),
        ({"features": [-1, 1, 1, 1]}, 422, "row 1: sepal_length: found -1, allowed: 0.0 to inf"),
        ({"features": [True, 1, 1, 1]}, 422, "sepal_length: found True, allowed: a number"),
        ({"features": {**NAMED, "colour": 1}}, 422, "row 1: unknown feature 'colour'; known are sepal_length"),
        ({"features": {"sepal_length": 1}}, 422, "row 1: feature 'sepal_width' is missing and may not be null"),
        ({"features": []}, 400, '"features" must be a row'),
        ({"features": "x"}, 400, '"features" must be a row, a list of rows'),
        ({"feature": ROW}, 400, 'the body must be JSON like {"features": [..]}'),
        ([1, 2], 400, 'the body must be JSON like {"features": [..]}'),
    ],
)
def test_a_wrong_request_names_row_feature_found_and_allowed(
    client: FlaskClient, body: Any, status: int, text: str
) -> None:
    answer = client.post("/predict", json=body)
    assert answer.status_code == status
    assert answer.json is not None
    assert text in answer.json["error"]


def test_each_status_means_one_thing(client: FlaskClient) -> None:
    assert client.post("/predict", data="{", content_type="application/json").status_code == 400
    assert (
        client.post("/predict", data='{"features": [NaN, 1, 1, 1]}', content_type="application/json").status_code == 400
    )
    assert client.post("/predict", data="x", content_type="text/plain").status_code == 415
    assert client.get("/predict").status_code == 405
    assert client.get("/nothing").status_code == 404
    assert client.post("/predict", json={"features": [ROW] * 5000}).status_code == 413
    assert client.get("/v2/health/live").status_code == 200


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    client = serve(tmp_path / "b", make_bundle(tmp_path / "b"), max_rows=2)
    answer = client.post("/predict", json={"features": [ROW] * 3})
    assert answer.json == {"error": "3 rows in one request, allowed: 2"}


def test_inference_before_ready_is_503(tmp_path: Path) -> None:
    client = serve(tmp_path / "b", make_bundle(tmp_path / "b"), warm=False)
    assert client.get("/v2/health/ready").status_code == 503
    assert client.post("/predict", json={"features": ROW}).status_code == 503
    assert client.get("/v2/health/live").status_code == 200


def test_our_own_faults_leak_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(tmp_path / "b", make_bundle(tmp_path / "b"))
    monkeypatch.setattr(Model, "predict", lambda *_args, **_options: 1 / 0)
    answer = client.post("/predict", json={"features": ROW})
    assert answer.status_code == 500
    assert answer.json == {"error": "internal error; the server's log has the details"}


@pytest.mark.parametrize("name", ["model.onnx", "model.joblib", "metadata.json", "golden.json"])
def test_an_altered_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    digest = make_bundle(tmp_path / "b")
    (tmp_path / "b" / name).write_bytes(b"x")
    with pytest.raises(BundleError, match=rf"{name}: its digest is .*, expected .*; deploy the bundle again"):
        open_bundle(tmp_path / "b", digest)


def test_an_altered_manifest_is_refused(tmp_path: Path) -> None:
    digest = make_bundle(tmp_path / "b")
    (tmp_path / "b" / "model.onnx").write_bytes(b"x")
    write_manifest(tmp_path / "b")
    with pytest.raises(BundleError, match=r"manifest\.json: its digest is"):
        open_bundle(tmp_path / "b", digest)


def test_another_scikit_learn_is_refused_with_the_fix(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b", runtime="joblib")
    metadata = json.loads((tmp_path / "b" / "metadata.json").read_text())
    metadata["versions"]["scikit-learn"] = "0.1"
    (tmp_path / "b" / "metadata.json").write_text(json.dumps(metadata))
    bundle = open_bundle(tmp_path / "b", write_manifest(tmp_path / "b"))
    with pytest.raises(
        BundleError, match=r"trained with scikit-learn 0\.1, here is .*: pip install scikit-learn==0\.1"
    ):
        Model.load(bundle)


def test_mixed_features_become_the_model_s_arrays() -> None:
    schema = FeatureSchema(
        [
            {"name": "carrier", "type": "category", "nullable": True, "categories": ["UA", "AA"]},
            {"name": "delay", "type": "integer", "nullable": True, "minimum": None, "maximum": 100},
            {"name": "night", "type": "boolean", "nullable": False},
        ]
    )
    inputs = schema.inputs([["UA", 3, True], [None, None, 0]])
    assert inputs.numbers is not None
    assert inputs.categories is not None
    assert inputs.numbers.dtype == "float32"
    assert str(inputs.numbers.tolist()) == "[[3.0, 1.0], [nan, 0.0]]"
    assert inputs.categories.tolist() == [["UA"], [""]]
    for row, text in [
        (["XX", 3, True], "carrier: found 'XX', allowed: one of UA, AA"),
        (["UA", 1.5, True], "delay: found 1.5, allowed: a whole number"),
        (["UA", 101, True], "delay: found 101, allowed: -inf to 100"),
        (["UA", 3, "yes"], "night: found 'yes', allowed: true or false"),
        ([3, 3, True], "carrier: found 3, allowed: text"),
    ]:
        with pytest.raises(Exception, match=text):
            schema.inputs([row])
