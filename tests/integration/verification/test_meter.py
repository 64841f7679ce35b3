"""Measuring real model servers: requests that fail, are slow, are nobody's, and servers that begin anew or go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from slipway.access.api_keys import key_hash
from slipway.core.errors import DeniedError, UnavailableError
from slipway.core.kubernetes_section import Analysis
from slipway.verification.analysis import Measurement
from slipway.verification.criteria import Criteria
from slipway.verification.meter import GoldenRows, Meter, scrape
from tests.integration.verification.endpoints import endpoint
from tests.integration.verification.pods import FAULTY, SLOW, SLOW_SECONDS, ServerPod, ServerPods, make_moody_bundle

ALL = ["restarts", "error rate", "p99 latency", "golden rows"]
KEY = "k" * 40


class Version(NamedTuple):
    """A bundle and two pods that serve it."""

    golden: GoldenRows
    a: ServerPod
    b: ServerPod
    drift: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Version]:
    folder = tmp_path_factory.mktemp("version")
    digest = make_moody_bundle(folder / "bundle", folder / "drift")
    golden = GoldenRows(json.loads((folder / "bundle" / "golden.json").read_text()), digest)
    pods = [ServerPod(name, folder, folder / "bundle", digest) for name in ("a", "b")]
    yield Version(golden, *pods, folder / "drift")
    for pod in pods:
        pod.stop()


@pytest.fixture
def version(served: Version) -> Iterator[Version]:
    yield served
    served.drift.unlink(missing_ok=True)


def meter_of(version: Version, pods: ServerPods | None = None, **section: Any) -> tuple[Meter, ServerPods]:
    """A meter that has seen where the counts stand."""
    pods = pods or ServerPods(version.a, version.b)
    section = {"maximum_latency_seconds": SLOW_SECONDS / 2} | section
    meter = Meter(pods, Criteria.of(Analysis(**section).model_dump(mode="json")), golden=version.golden)
    meter.measure([])
    return meter, pods


def outcomes(measured: list[Measurement]) -> dict[str, str]:
    return {each.metric: each.outcome for each in measured}


def named(measured: list[Measurement], metric: str) -> Measurement:
    return next(each for each in measured if each.metric == metric)


def test_a_good_version_is_good_by_every_metric(version: Version) -> None:
    meter, _ = meter_of(version)
    version.a.ask(times=3)
    version.b.ask(times=2)
    measured = meter.measure(ALL)
    assert outcomes(measured) == dict.fromkeys(ALL, "Successful")
    assert named(measured, "error rate").message == "0 % of 5 answers failed, allowed 1 %"
    assert named(measured, "golden rows").message == "2 pods answered as in training"


def test_the_first_look_measures_golden_rows_alone(version: Version) -> None:
    version.a.ask(FAULTY)
    meter = Meter(
        ServerPods(version.a), Criteria.of(Analysis().model_dump(mode="json")), golden=version.golden, api_key=None
    )
    assert outcomes(meter.measure(ALL)) == {"golden rows": "Successful"}


def test_answers_that_fail_are_counted_at_the_pod_that_gave_them(version: Version) -> None:
    meter, _ = meter_of(version)
    version.a.ask(times=7)
    assert {answer.status for answer in version.b.ask(FAULTY, times=2)} == {500}
    version.b.ask()
    found = named(meter.measure(ALL), "error rate")
    assert (found.outcome, found.value, found.limit, found.pod) == ("Failed", 0.2, 0.01, "b")
    assert found.message == "20 % of 10 answers failed, allowed 1 %; most at b: 2 with status 500 of 3"


def test_an_interval_has_only_what_came_in_it(version: Version) -> None:
    meter, _ = meter_of(version)
    version.a.ask(FAULTY)
    assert outcomes(meter.measure(ALL))["error rate"] == "Failed"
    version.a.ask()
    found = named(meter.measure(ALL), "error rate")
    assert (found.outcome, found.message) == ("Successful", "0 % of 1 answers failed, allowed 1 %")


def test_answers_that_are_slow_fail_the_latency(version: Version) -> None:
    meter, _ = meter_of(version)
    version.a.ask()
    version.b.ask(SLOW)
    found = named(meter.measure(ALL), "p99 latency")
    assert (found.outcome, found.pod, found.limit) == ("Failed", "b", SLOW_SECONDS / 2)
    assert found.value is not None
    assert 0.25 < found.value <= 0.5  # the bucket that 0.3 s are in


def test_our_own_requests_and_those_to_other_pages_are_no_traffic(version: Version) -> None:
    meter, _ = meter_of(version, minimum_requests=1)
    for path in ("/", "/metrics", "/v2/health/ready", "/nowhere"):
        version.a.server.get(path)
    assert named(meter.measure(ALL), "golden rows").outcome == "Successful"
    found = named(meter.measure(ALL), "error rate")
    assert (found.outcome, found.message) == ("Inconclusive", "0 requests in this interval, at least 1 say something")


def test_a_pod_that_answers_otherwise_than_in_training_fails_the_golden_rows(version: Version) -> None:
    meter, _ = meter_of(version)
    version.drift.touch()
    found = named(meter.measure(ALL), "golden rows")
    assert (found.outcome, found.pod) == ("Failed", "a")
    assert "training predicted" in found.message


def test_a_pod_that_serves_another_bundle_fails_the_golden_rows(version: Version) -> None:
    other = version._replace(golden=GoldenRows(version.golden.golden, "sha256:other"))
    meter, _ = meter_of(other)
    found = named(meter.measure(ALL), "golden rows")
    assert (found.outcome, found.pod) == ("Failed", "a")
    assert f"a: bundle {version.golden.digest} answered, expected sha256:other" in found.message


def test_a_server_that_died_is_a_restart_and_its_lost_counts_are_no_negative_ones(version: Version) -> None:
    meter, _ = meter_of(version)
    version.a.ask(times=5)
    meter.measure(ALL)
    version.b.ask(times=2)
    version.b.restart("OOMKilled, exit code 137")
    version.b.ask(times=3)
    measured = meter.measure(ALL)
    found = named(measured, "restarts")
    assert (found.outcome, found.pod) == ("Failed", "b")
    assert found.message == "b restarted once (OOMKilled, exit code 137)"
    assert named(measured, "error rate").message == "0 % of 3 answers failed, allowed 1 %"
    assert named(meter.measure(ALL), "restarts").outcome == "Successful"


def test_a_pod_that_is_not_ready_is_not_asked_and_one_that_is_gone_is_left_out(version: Version) -> None:
    meter, pods = meter_of(version)
    pods.unready = {"a"}
    assert named(meter.measure(ALL), "golden rows").message == "1 pod answered as in training"
    pods.unready, pods.gone = set(), {"b"}
    assert named(meter.measure(ALL), "golden rows").message == "1 pod answered as in training"


@pytest.mark.parametrize("lost", ["unready", "gone"])
def test_no_pod_at_all_is_an_error_not_a_success(version: Version, lost: str) -> None:
    meter, pods = meter_of(version)
    setattr(pods, lost, {"a", "b"})
    measured = meter.measure(ALL)
    errors = dict.fromkeys(ALL, "Error") | {"restarts": "Successful"}
    assert outcomes(measured) == errors
    assert named(measured, "golden rows").message == "its pods: none is ready"


def test_a_pod_that_does_not_answer_is_an_error_and_its_interval_is_made_up_for(version: Version) -> None:
    meter, pods = meter_of(version)
    version.a.ask(times=2)
    version.b.ask(FAULTY)
    pods.silent = {"b"}
    measured = meter.measure(ALL)
    assert outcomes(measured) == dict.fromkeys(ALL, "Error") | {"restarts": "Successful"}
    assert named(measured, "error rate").message.startswith("pod b: ")
    pods.silent = set()
    found = named(meter.measure(ALL), "error rate")
    assert found.message == "33.3 % of 3 answers failed, allowed 1 %; most at b: 1 with status 500 of 1"


def test_a_wrong_answer_is_not_forgotten_for_a_pod_that_does_not_answer(version: Version) -> None:
    meter, pods = meter_of(version)
    version.drift.touch()
    pods.silent = {"b"}
    measured = outcomes(meter.measure(ALL))
    assert (measured["golden rows"], measured["error rate"]) == ("Failed", "Error")


def test_pods_with_keys_are_asked_with_ours(version: Version, tmp_path: Path) -> None:
    hashes = tmp_path / "hashes"
    hashes.write_text(key_hash(KEY))
    bundle = version.drift.parent / "bundle"
    pod = ServerPod("closed", tmp_path, bundle, version.golden.digest, "--key-hashes", str(hashes))
    criteria = Criteria.of(Analysis().model_dump(mode="json"))
    try:
        known = Meter(ServerPods(pod), criteria, golden=version.golden, api_key=KEY)
        assert outcomes(known.measure(ALL)) == {"golden rows": "Successful"}
        unknown = Meter(ServerPods(pod), criteria, golden=version.golden, api_key="x" * 40)
        with pytest.raises(DeniedError, match=r"pod closed.*does not know our key.*access\.conn_id"):
            unknown.measure(ALL)
    finally:
        pod.stop()


def test_a_page_that_is_no_model_servers_is_unavailable() -> None:
    with endpoint(lambda _path, _body: (200, {}, b"")) as url, pytest.raises(UnavailableError, match="status 501"):
        scrape(url)
