"""schemathesis makes requests from `/openapi.json`, right and wrong ones, and holds every answer against it.

Nothing is drawn at random: each run makes the same requests.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from slipway.core.model_file import Dataset, Train
from tests.bundle_maker import make_bundle, write_manifest
from tests.integration.serving.served import free_port, served
from tests.integration.serving.trained import MIXED, make_trained, mixed_rows

KEY = "a key of this test"
VALID_BODIES = Path(__file__).parent / "valid_bodies.py"
# What the schema of a V2 tensor cannot say is how its parts belong together: those requests are refused, though they follow it.
LENIENT = ("--checks", "all", "--exclude-checks", "positive_data_acceptance")


class Endpoint(NamedTuple):
    """A served bundle; `key` is what its clients send."""

    address: str
    bundle: Path
    key: str | None


@pytest.fixture(scope="module")
def open_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Every kind of feature, and Vertex AI's routes."""
    wanted = Train(estimator="sklearn.linear_model.LogisticRegression")
    made = make_trained(tmp_path_factory.mktemp("open"), mixed_rows(), MIXED, wanted)
    routes = {"AIP_HTTP_PORT": str(free_port()), "AIP_HEALTH_ROUTE": "/vertex-health", "AIP_PREDICT_ROUTE": "/vertex"}
    with served(made.folder, made.digest, **routes) as address:
        yield Endpoint(address, made.folder, None)


@pytest.fixture(scope="module")
def keyed_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Numbers only, with bounds (without, some that are allowed overflow the model), behind an API key."""
    folder = tmp_path_factory.mktemp("keyed")
    make_bundle(folder / "bundle")
    metadata = json.loads((folder / "bundle" / "metadata.json").read_text())
    for feature in metadata["features"]:
        feature["maximum"] = 100.0
    (folder / "bundle" / "metadata.json").write_text(json.dumps(metadata))
    digest = write_manifest(folder / "bundle")
    (folder / "keys").write_text(f"sha256:{hashlib.sha256(KEY.encode()).hexdigest()}\n")
    with served(folder / "bundle", digest, "--key-hashes", str(folder / "keys")) as address:
        yield Endpoint(address, folder / "bundle", KEY)


@pytest.fixture(scope="module")
def number_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A regression, which has no probabilities, by joblib, which answers in threads."""
    frame = mixed_rows()
    frame["late"] = (frame["delay"].fillna(0) + frame["hour"]).round(2)
    columns = {**MIXED.columns, "late": {"type": "number"}}
    section = Dataset.model_validate(MIXED.model_dump() | {"columns": columns})
    wanted = Train(
        estimator="sklearn.isotonic.IsotonicRegression", preprocessing="tests.integration.serving.trained:hours"
    )
    made = make_trained(tmp_path_factory.mktemp("number"), frame, section, wanted)
    assert made.metadata["runtime"] == "joblib"
    routes = {"AIP_HTTP_PORT": str(free_port()), "AIP_PREDICT_ROUTE": "/vertex"}
    with served(made.folder, made.digest, **routes) as address:
        yield Endpoint(address, made.folder, None)


def run_schemathesis(folder: Path, endpoint: Endpoint, *options: str, examples: int = 20) -> None:
    """`folder` is for its notes."""
    key = ["--header", f"Authorization: Bearer {endpoint.key}"] if endpoint.key else []
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"http://{endpoint.address}/openapi.json", *key]
    command += ["--generation-deterministic", "--max-examples", str(examples), "--continue-on-failure", "--no-color"]
    environment = {"SCHEMATHESIS_HOOKS": str(VALID_BODIES), "SLIPWAY_TEST_BUNDLE": str(endpoint.bundle)}
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, cwd=folder, env=os.environ | environment
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"


def test_no_server_error_and_no_undocumented_answer(tmp_path: Path, open_endpoint: Endpoint) -> None:
    run_schemathesis(tmp_path, open_endpoint, *LENIENT)


def test_the_same_for_a_regression(tmp_path: Path, number_endpoint: Endpoint) -> None:
    run_schemathesis(tmp_path, number_endpoint, *LENIENT, "--phases", "fuzzing", examples=10)


def test_the_same_behind_an_api_key(tmp_path: Path, keyed_endpoint: Endpoint) -> None:
    """Among the checks: without the key, and with a wrong one, every operation that needs it answers 401."""
    run_schemathesis(tmp_path, keyed_endpoint, *LENIENT)


@pytest.mark.parametrize("which", ["open_endpoint", "keyed_endpoint", "number_endpoint"])
def test_the_document_s_own_examples_are_answered(tmp_path: Path, request: pytest.FixtureRequest, which: str) -> None:
    run_schemathesis(tmp_path, request.getfixturevalue(which), "--phases", "examples", "--checks", "all")


@pytest.mark.parametrize("which", ["open_endpoint", "keyed_endpoint", "number_endpoint"])
def test_every_request_that_follows_the_document_is_answered(
    tmp_path: Path, request: pytest.FixtureRequest, which: str
) -> None:
    paths = ["--include-path-regex", "^/(predict|invocations|vertex)$"]
    phase = ["--phases", "fuzzing", "--mode", "positive", "--checks", "all"]
    run_schemathesis(tmp_path, request.getfixturevalue(which), *phase, *paths, examples=50)


def test_only_what_needs_a_key_says_so(open_endpoint: Endpoint, keyed_endpoint: Endpoint) -> None:
    health = {"/ping", "/v2/health/live", "/v2/health/ready", "/vertex-health"}
    for endpoint in (open_endpoint, keyed_endpoint):
        headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
        document = requests.get(f"http://{endpoint.address}/openapi.json", headers=headers, timeout=10).json()
        assert ("security" in document) == (endpoint.key is not None)
        for path, item in document["paths"].items():
            [operation] = item.values()
            assert ("401" in operation["responses"]) == (endpoint.key is not None and path not in health), path
