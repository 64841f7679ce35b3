"""The same requests to a real MLServer and to ours, on one pickle: the answers are equal but for what DIFFERENCES lists.

Each request names the differences it shows, and must show exactly those; serving/README.md holds the same list.
"""

from __future__ import annotations

import gzip
import http.client
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.bundle_maker import make_bundle, write_manifest
from tests.integration.serving.mlserver_process import mlserver
from tests.integration.serving.served import SERVING, served

INFER = "/v2/models/iris/infer"
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


class Difference(NamedTuple):
    """One intended difference.

    Attributes:
        asked, mlserver, slipway: the row of the table.
        statuses: MLServer's and ours; None where both are 200.
        places: in the two bodies, where they differ.
    """

    asked: str
    mlserver: str
    slipway: str
    statuses: tuple[int, int] | None = None
    places: frozenset[str] = frozenset()


def differs(asked: str, mlserver: str, slipway: str, *found: Any) -> Difference:
    """A row; `found` is a pair of statuses, or the places in the body."""
    if found and isinstance(found[0], int):
        return Difference(asked, mlserver, slipway, statuses=(found[0], found[1]))
    return Difference(asked, mlserver, slipway, places=frozenset(found))


DIFFERENCES = {
    "id": differs("no `id` in the request", "makes one up", "the answer has none", "id"),
    "parameters": differs("`parameters` of an answer", "`{}`", "left out where there are none", "parameters"),
    "version": differs("the version", "from its settings", "the model id's first 12 digits", "model_version"),
    "float64": differs("an FP64 table", "probabilities as FP64", "FP32 always", "outputs.datatype"),
    "server": differs("`GET /v2`", "its own name, no extensions", "ours, binary tensors", "name", "version", "extensions"),
    "metadata": differs(
        "`GET /v2/models/<model>`",
        "empty, unless written by hand",
        "from the feature schema",
        "versions",
        "platform",
        "inputs",
        "outputs",
    ),
    "live": differs("`GET /v2/health/live`", "an empty body", "`{\"live\": true}`", "live"),
    "ready": differs("ready, of server and model", "an empty body", "`{\"ready\": true}`", "ready"),
    "index_version": differs("the repository index", "the settings' version", "ours, as above", "version"),
    "index_body": differs("the repository index without a body", "422", "200, as Triton", 422, 200),
    "repository": differs("load, unload", "does it", "404: a bundle is never changed in place", 200, 404),
    "generate": differs("`/generate`, `/infer_stream`, `/v2/docs`", "has them", "404; the page is `/docs`", 200, 404),
    "bounds": differs("a value outside the feature schema", "200, a prediction", "422 with row and feature", 200, 422),
    "text": differs("numbers as text", "200, converts them", "422", 200, 422),
    "fraction": differs("a fraction in an integer tensor", "200, cuts it off", "422", 200, 422),
    "wildcard": differs("-1 in a request's shape", "200, works it out", "400", 200, 400),
    "value": differs(
        "values that are null, text or beyond float32; too few or too many for the shape; another width; no row",
        "500",
        "422 with what is allowed",
        500,
        422,
    ),
    "transform": differs("output `transform` of a classifier", "500", "400", 500, 400),
    "malformed": differs(
        "not JSON, or without the protocol's fields", "422 `{\"detail\": [..]}`", "400 `{\"error\": ..}`", 422, 400
    ),
    "media_type": differs("another Content-Type", "422", "415", 422, 415),
    "detail": differs("an unknown route, a wrong method", "`{\"detail\": ..}`", "`{\"error\": ..}`", "detail", "error"),
    "binary": differs("binary tensors", "500", "200", 500, 200),
    "deflate": differs("a request compressed by deflate", "422", "200", 422, 200),
    "columns": differs("one tensor a feature, without `content_type: pd`", "400", "200, by name", 400, 200),
    "order": differs(
        "the same with `content_type: pd`, in another order",
        "by place, if the model was fitted on an array",
        "by name",
        "outputs.data",
    ),
    "rows": differs("more rows than `--max-rows`", "200", "413", 200, 413),
}  # fmt: skip
COMPRESSED = "MLServer compresses answers if Accept-Encoding says so; ours are never compressed."


JSON_BODY = (("Content-Type", "application/json"),)


class Case(NamedTuple):
    """A request and the differences it shows."""

    name: str
    method: str
    path: str
    body: Any = None
    differences: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = JSON_BODY


def tensor(data: Any = FLOWERS, shape: Sequence[int] = (2, 4), datatype: str = "FP32", **more: Any) -> dict[str, Any]:
    """An inference request with one table."""
    return {"inputs": [{"name": "input", "shape": list(shape), "datatype": datatype, "data": data}], **more}


def columns(names: Sequence[str], **more: Any) -> dict[str, Any]:
    """An inference request with one tensor a feature, of the first flower."""
    values = dict(zip(NAMES, FLOWERS[0], strict=True))
    inputs = [{"name": name, "shape": [1, 1], "datatype": "FP32", "data": [values[name]]} for name in names]
    return {"inputs": inputs, **more}


def asked(name: str, body: Any, *differences: str, headers: tuple[tuple[str, str], ...] = JSON_BODY) -> Case:
    """An inference that both answer."""
    return Case(name, "POST", INFER, body, ("id", "parameters", "version", *differences), headers)


def refused(name: str, body: Any, *differences: str, path: str = INFER) -> Case:
    """An inference that at least one of them refuses."""
    return Case(name, "POST", path, body, differences)


OUTPUTS = [{"name": "predict"}, {"name": "predict_proba"}]
WHOLE = json.dumps(tensor()).encode()
HEAD = json.dumps(
    {"inputs": [{"name": "i", "shape": [2, 4], "datatype": "FP32", "parameters": {"binary_data_size": 32}}]}
).encode()
ROWS = np.random.default_rng(0).uniform(0.1, 8, (150, 4)).round(2).tolist()
BINARY_HEADERS = (
    ("Content-Type", "application/octet-stream"),
    ("Inference-Header-Content-Length", str(len(HEAD))),
)

CASES = [
    asked("a table, nested", tensor()),
    asked("a table, flat", tensor([*FLOWERS[0], *FLOWERS[1]])),
    asked("many rows", tensor(ROWS, (150, 4), outputs=OUTPUTS)),
    asked("both outputs", tensor(outputs=OUTPUTS)),
    asked("probabilities alone", tensor(outputs=OUTPUTS[1:])),
    asked("outputs turned round", tensor(outputs=OUTPUTS[::-1])),
    asked("no output named", tensor(outputs=[])),
    asked("outputs null", tensor(outputs=None)),
    asked("output with a codec", tensor(outputs=[{"name": "predict", "parameters": {"content_type": "np"}}])),
    asked("FP64", tensor(datatype="FP64", outputs=OUTPUTS), "float64"),
    asked("INT64", tensor([5, 3, 1, 0], (1, 4), "INT64")),
    asked("UINT8", tensor([5, 3, 1, 0], (1, 4), "UINT8")),
    asked("BOOL", tensor([True, False, True, False], (1, 4), "BOOL")),
    asked("named by a codec", tensor(parameters={"content_type": "np"})),
    asked("an unknown field", tensor(extra=1)),
    asked("columns as pandas", columns(NAMES, parameters={"content_type": "pd"})),
    asked("columns as pandas in another order", columns(NAMES[::-1], parameters={"content_type": "pd"}), "order"),
    Case("with an id", "POST", INFER, tensor(id="7"), ("parameters", "version")),
    refused("columns", columns(NAMES), "columns"),
    asked("compressed by gzip", gzip.compress(WHOLE), headers=(*JSON_BODY, ("Content-Encoding", "gzip"))),
    refused("compressed by deflate", zlib.compress(WHOLE), "deflate")._replace(
        headers=(*JSON_BODY, ("Content-Encoding", "deflate"))
    ),
    refused("binary tensors", HEAD + np.array(FLOWERS, "<f4").tobytes(), "binary")._replace(headers=BINARY_HEADERS),
    refused("a negative length", tensor([-1, 1, 1, 1], (1, 4)), "bounds"),
    refused("numbers as text", tensor(["5.1", "3.5", "1.4", "0.2"], (1, 4)), "text"),
    refused("a fraction as INT32", tensor([1.5, 3, 1, 0], (1, 4), "INT32"), "fraction"),
    refused("a shape with -1", tensor(shape=(-1, 4)), "wildcard"),
    refused("too many values", tensor(shape=(1, 4)), "value"),
    refused("too few values", tensor(shape=(2, 5)), "value"),
    refused("another width", tensor([1, 2], (1, 2)), "value"),
    refused("one dimension", tensor(FLOWERS[0], (4,)), "value"),
    refused("three dimensions", tensor(shape=(1, 2, 4)), "value"),
    refused("null", tensor([None, 1, 1, 1], (1, 4)), "value"),
    refused("words", tensor(["x"] * 4, (1, 4)), "value"),
    refused("a table of text", tensor(["x"] * 4, (1, 4), "BYTES"), "value"),
    refused("beyond float32", tensor([1e39, 1, 1, 1], (1, 4)), "value"),
    refused("no row", tensor([], (0, 4)), "value"),
    refused("uneven rows", tensor([[1, 2], [3]], (1, 3)), "value"),
    refused("an unknown output", tensor(outputs=[{"name": "logits"}])),
    refused("transform", tensor(outputs=[{"name": "transform"}]), "transform"),
    refused("no input", {"inputs": []}),
    refused("one input twice", {"inputs": tensor()["inputs"] * 2}),
    refused("an unknown datatype", tensor(datatype="FP8"), "malformed"),
    refused("no data", {"inputs": [{"name": "i", "shape": [1, 4], "datatype": "FP32"}]}, "malformed"),
    refused("no name", {"inputs": [{"shape": [1, 4], "datatype": "FP32", "data": FLOWERS[0]}]}, "malformed"),
    refused("no shape", {"inputs": [{"name": "i", "datatype": "FP32", "data": FLOWERS[0]}]}, "malformed"),
    refused("inputs no list", {"inputs": 7}, "malformed"),
    refused("an empty object", {}, "malformed"),
    refused("a list", [], "malformed"),
    refused("broken JSON", b'{"inputs": [', "malformed"),
    refused("no body", b"", "malformed"),
    refused("NaN", WHOLE.replace(b"5.1", b"NaN"), "malformed"),
    refused("another Content-Type", WHOLE, "media_type")._replace(headers=(("Content-Type", "text/plain"),)),
    refused("an unknown model", tensor(), path="/v2/models/tulip/infer"),
    refused("an unknown version", tensor(), path="/v2/models/iris/versions/9/infer"),
    refused("more rows than allowed", tensor([1.0] * 4 * 2001, (2001, 4)), "rows"),
    Case("server", "GET", "/v2", None, ("server",)),
    Case("live", "GET", "/v2/health/live", None, ("live",)),
    Case("ready", "GET", "/v2/health/ready", None, ("ready",)),
    Case("model ready", "GET", "/v2/models/iris/ready", None, ("ready",)),
    Case("model", "GET", "/v2/models/iris", None, ("metadata", "parameters")),
    Case("unknown model", "GET", "/v2/models/tulip"),
    Case("unknown model ready", "GET", "/v2/models/tulip/ready"),
    Case("unknown version", "GET", "/v2/models/iris/versions/9"),
    Case("index", "POST", "/v2/repository/index", {}, ("index_version",)),
    Case("index without a body", "POST", "/v2/repository/index", b"", ("index_body",)),
    Case("unknown route", "GET", "/v2/nothing", None, ("detail",)),
    Case("wrong method", "GET", INFER, None, ("detail",)),
    Case("generate", "POST", "/v2/models/iris/generate", tensor(), ("generate",)),
    Case("docs", "GET", "/v2/docs", None, ("generate",)),
    Case("load", "POST", "/v2/repository/models/iris/load", b"", ("repository",)),
]  # fmt: skip


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """MLServer's and ours; the classes are the numbers that the pickle itself predicts."""
    folder = tmp_path_factory.mktemp("parity")
    make_bundle(folder / "bundle")
    metadata = json.loads((folder / "bundle" / "metadata.json").read_text())
    golden = json.loads((folder / "bundle" / "golden.json").read_text())
    golden["predictions"] = [metadata["classes"].index(name) for name in golden["predictions"]]
    (folder / "bundle" / "golden.json").write_text(json.dumps(golden))
    (folder / "bundle" / "metadata.json").write_text(json.dumps(metadata | {"classes": [0, 1, 2]}))
    digest = write_manifest(folder / "bundle")
    with (
        mlserver(folder / "mlserver", folder / "bundle", "iris") as theirs,
        served(folder / "bundle", digest, "--open", "--max-rows", "2000") as ours,
    ):
        yield theirs, ours


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_request_to_both(addresses: tuple[str, str], case: Case) -> None:
    theirs, ours = (ask(address, case) for address in addresses)
    expected = [DIFFERENCES[name] for name in case.differences]
    statuses = next((difference.statuses for difference in expected if difference.statuses), None)
    if statuses:
        assert (theirs[0], ours[0]) == statuses, (theirs, ours)
        return
    assert theirs[0] == ours[0], (theirs, ours)
    found = different_places(theirs[1], ours[1])
    allowed = frozenset().union(*(difference.places for difference in expected))
    assert found == allowed, (theirs, ours)


def test_our_refusals_all_have_one_form(addresses: tuple[str, str]) -> None:
    for case in CASES:
        status, body = ask(addresses[1], case)
        assert status == 200 or list(body) == ["error"], case.name


def test_compression_of_answers(addresses: tuple[str, str]) -> None:
    case = CASES[2]._replace(headers=(*CASES[2].headers, ("Accept-Encoding", "gzip")))
    found = []
    for address in addresses:
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request(case.method, case.path, json.dumps(case.body), dict(case.headers))
        found.append(connection.getresponse().headers["Content-Encoding"])
    assert found == ["gzip", None]


def test_the_readme_lists_exactly_these_differences() -> None:
    assert {name for case in CASES for name in case.differences} == set(DIFFERENCES)
    section = (SERVING / "README.md").read_text().partition("## Differences from MLServer\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert rows[1:] == [f"| {d.asked} | {d.mlserver} | {d.slipway} |" for d in DIFFERENCES.values()]
    assert COMPRESSED in section


def ask(address: str, case: Case) -> tuple[int, Any]:
    """Status and body; a body that is no JSON as text, an empty one as an empty object."""
    body = case.body if case.body is None or isinstance(case.body, bytes) else json.dumps(case.body)
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(case.method, case.path, body, dict(case.headers) if body is not None else {})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    is_json = answer.headers.get_content_type() == "application/json"
    return answer.status, (json.loads(text) if text else {}) if is_json or not text else text.decode()


def different_places(one: Any, other: Any, place: str = "") -> frozenset[str]:
    """Where two JSON values differ; a place in a list is the list's. Outputs may differ by 1e-5, errors in their words."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other})
        parts = [different_places(one.get(n), other.get(n), f"{place}.{n}".lstrip(".")) for n in names]
        return frozenset().union(*parts)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other) and place != "outputs.data":
        return frozenset().union(*(different_places(*pair, place) for pair in zip(one, other, strict=True)))
    if place == "outputs.data":
        return (
            frozenset() if len(one) == len(other) and np.allclose(one, other, rtol=0, atol=1e-5) else frozenset({place})
        )
    if place == "error" and isinstance(one, str) and isinstance(other, str):
        return frozenset()
    return frozenset() if one == other else frozenset({place})
