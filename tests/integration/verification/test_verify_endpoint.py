"""The golden-row task against real sockets: as trained, another answer, another bundle, no answer."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from slipway.core.errors import AbsentError, RolloutError, UnavailableError
from slipway.core.model_file import Access
from slipway.verification.client import ask
from slipway.verification.operators import VerifyEndpointOperator
from tests.bundle_maker import write_manifest
from tests.integration.verification.endpoints import as_trained, endpoint

GOLDEN: dict[str, Any] = {
    "features": ["a", "b"],
    "rows": [[1.0, 2.0], [3.0, None]],
    "predictions": ["rose", "tulip"],
    "probabilities": [[0.75, 0.25], [0.25, 0.75]],
    "absolute_tolerance": 1e-5,
    "relative_tolerance": 1e-4,
}
FLOWERS = ["rose", "tulip"]


def store_bundle(root: Path, golden: dict[str, Any] = GOLDEN, classes: list[Any] | None = FLOWERS) -> dict[str, str]:
    folder = root / "iris" / "models" / "m1"
    folder.mkdir(parents=True)
    (folder / "golden.json").write_text(json.dumps(golden))
    (folder / "metadata.json").write_text(json.dumps({"classes": classes}))
    return {"key": "models/m1/", "digest": write_manifest(folder)}


def verify(root: Path, bundle: dict[str, str], url: str) -> dict[str, Any]:
    operator = VerifyEndpointOperator(
        task_id="verify_endpoint",
        model="iris",
        store=str(root),
        bundle=bundle,
        endpoint="{{ url }}",
        access=Access(open=True),
    )
    operator.render_template_fields({"url": url})
    return operator.execute({})


def test_an_endpoint_that_answers_as_trained_is_verified(tmp_path: Path) -> None:
    bundle = store_bundle(tmp_path)
    with endpoint(as_trained(GOLDEN, bundle["digest"], FLOWERS)) as url:
        found = verify(tmp_path, bundle, url)
    assert json.loads(json.dumps(found)) == found
    assert (found["endpoint"], found["rows"], found["digest"]) == (url, 2, bundle["digest"])
    assert found["summary"] == f"2 golden rows answered as in training by {url}"


def test_a_regression_is_asked_without_probabilities(tmp_path: Path) -> None:
    golden = {**GOLDEN, "predictions": [1.5, 2.5], "probabilities": None}
    bundle = store_bundle(tmp_path, golden, None)
    with endpoint(as_trained(golden, bundle["digest"], None)) as url:
        assert verify(tmp_path, bundle, url)["rows"] == 2


def test_another_answer_fails_with_row_expected_and_found(tmp_path: Path) -> None:
    bundle = store_bundle(tmp_path)
    with (
        endpoint(as_trained(GOLDEN, bundle["digest"], FLOWERS, prediction=["rose", "rose"])) as url,
        pytest.raises(RolloutError) as caught,
    ):
        verify(tmp_path, bundle, url)
    assert str(caught.value).startswith(
        f"could not verify the endpoint: {url}: row 2 [3.0, None]: answered 'rose', training predicted 'tulip'. "
        "The run is undone."
    )


@pytest.mark.parametrize(("header", "named"), [("sha256:0ther", "sha256:0ther"), ("", r"\(none named\)")])
def test_another_bundle_fails_naming_both(tmp_path: Path, header: str, named: str) -> None:
    bundle = store_bundle(tmp_path)
    with (
        endpoint(as_trained(GOLDEN, header, FLOWERS)) as url,
        pytest.raises(RolloutError, match=rf"bundle {named} answered, expected {bundle['digest']}"),
    ):
        verify(tmp_path, bundle, url)


@pytest.mark.parametrize("status", [400, 422, 500, 503])
def test_a_refusal_is_shown_with_its_text(tmp_path: Path, status: int) -> None:
    bundle = store_bundle(tmp_path)
    with (
        endpoint(lambda _path, _body: (status, {}, b'{"error": "row 1: b may not be null"}')) as url,
        pytest.raises(RolloutError, match=rf"status {status}: .*row 1: b may not be null"),
    ):
        verify(tmp_path, bundle, url)


def test_a_key_that_asked_too_often_may_ask_again_later(tmp_path: Path) -> None:
    bundle = store_bundle(tmp_path)
    with (
        endpoint(lambda _path, _body: (429, {}, b"this key may ask again in 1 s")) as url,
        pytest.raises(UnavailableError, match=r"status 429: this key may ask again.*access\.requests_per_second"),
    ):
        verify(tmp_path, bundle, url)


def test_an_answer_that_is_no_json_is_shown(tmp_path: Path) -> None:
    bundle = store_bundle(tmp_path)
    with (
        endpoint(lambda _path, _body: (200, {}, b"<html>Welcome")) as url,
        pytest.raises(RolloutError, match="its answer is no JSON: b'<html>Welcome'"),
    ):
        verify(tmp_path, bundle, url)


def test_an_answer_that_breaks_off_is_asked_for_again_until_the_deadline() -> None:
    def cut(_path: str, _body: Any) -> Any:
        return 200, {"Transfer-Encoding": "chunked"}, b"no chunk at all"

    with endpoint(cut) as url, pytest.raises(UnavailableError, match="no answer in 1 s"):
        ask(url, [[1]], probabilities=False, timeout_seconds=1)


def test_a_bundle_that_is_not_there_is_absent(tmp_path: Path) -> None:
    with pytest.raises(AbsentError, match=r"models/m2/manifest\.json"):
        verify(tmp_path, {"key": "models/m2/", "digest": "sha256:0"}, "http://127.0.0.1:9")


def test_nothing_at_the_address_is_unavailable_after_the_deadline() -> None:
    with pytest.raises(UnavailableError, match=r"no answer in 1 s; last: .*Connection refused.*Does its process run\?"):
        ask("http://127.0.0.1:9", [[1]], probabilities=False, timeout_seconds=1)


def test_a_server_that_never_answers_is_given_up_at_the_deadline() -> None:
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnavailableError, match="no answer in 1 s"):
        ask(f"http://127.0.0.1:{silent.getsockname()[1]}", [[1]], probabilities=False, timeout_seconds=1)
    assert time.monotonic() - began < 10


def test_a_server_that_comes_up_meanwhile_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    answers: list[Any] = []
    url = f"http://127.0.0.1:{port}"
    asking = threading.Thread(target=lambda: answers.append(ask(url, [[1]], probabilities=False, timeout_seconds=20)))
    asking.start()
    time.sleep(0.7)
    with endpoint(lambda _path, _body: (200, {"Slipway-Bundle": "sha256:1"}, b'{"prediction": [1]}'), port):
        asking.join(20)
    assert [(answer.body, answer.digest) for answer in answers] == [({"prediction": [1]}, "sha256:1")]
