"""The golden-row check of what only the cluster reaches: every ready pod; and of what undo brought back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from slipway.core.deploy_section import KubernetesTarget
from slipway.core.errors import RolloutError, UnavailableError
from slipway.core.model_file import Access
from slipway.verification.cluster_operators import VerifyServiceOperator
from slipway.verification.operators import VerifyEndpointOperator
from tests.integration.verification.pods import ServerPod, ServerPods, make_moody_bundle

INSIDE = {"endpoint": "http://iris.models.svc", "reach": "cluster"}


class Served(NamedTuple):
    """A store with a bundle, and two pods that serve it."""

    store: Path
    bundle: dict[str, str]
    pods: list[ServerPod]
    drift: Path


@pytest.fixture(scope="module")
def module_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    bundle = folder / "store" / "iris" / "models" / "m1"
    digest = make_moody_bundle(bundle, folder / "drift")
    pods = [ServerPod(name, folder, bundle, digest) for name in ("iris-1", "iris-2")]
    yield Served(folder / "store", {"key": "models/m1/", "digest": digest}, pods, folder / "drift")
    for pod in pods:
        pod.stop()


@pytest.fixture
def served(module_served: Served) -> Iterator[Served]:
    yield module_served
    module_served.drift.unlink(missing_ok=True)


def verify(served: Served, pods: ServerPods | None = None, **given: Any) -> dict[str, Any]:
    class Here(VerifyServiceOperator):
        def pods(self) -> ServerPods:
            return pods or ServerPods(*served.pods)

    operator = Here(
        task_id="verify_endpoint",
        model="iris",
        store=str(served.store),
        target=KubernetesTarget(namespace="models"),
        access=Access(open=True),
        **given,
    )
    found: dict[str, Any] = operator.execute({})
    assert json.loads(json.dumps(found)) == found
    return found


def test_every_pod_behind_the_service_is_asked(served: Served) -> None:
    found = verify(served, rollout=INSIDE, bundle=served.bundle)
    assert found == {
        "endpoint": "http://iris.models.svc",
        "rows": 15,
        "digest": served.bundle["digest"],
        "changed": False,
        "summary": "15 golden rows answered as in training by 2 pods: iris-1, iris-2",
    }


def test_the_result_has_what_the_check_of_a_public_endpoint_returns(served: Served) -> None:
    url = served.pods[0].url
    given = {"task_id": "v", "model": "iris", "store": str(served.store), "access": Access(open=True)}
    public = VerifyEndpointOperator(bundle=served.bundle, endpoint=url, **given).execute({})
    assert verify(served, rollout={"endpoint": url, "reach": "public"}, bundle=served.bundle) == public


def test_a_public_address_is_asked_as_its_users_do_and_no_pod(served: Served) -> None:
    found = verify(
        served, ServerPods(), rollout={"endpoint": served.pods[0].url, "reach": "public"}, bundle=served.bundle
    )
    assert found["summary"] == f"15 golden rows answered as in training by {served.pods[0].url}"


def test_a_pod_that_answers_otherwise_is_named(served: Served) -> None:
    served.drift.touch()
    with pytest.raises(RolloutError, match=r"could not verify the endpoint: pod iris-1: row \d+ .*training predicted"):
        verify(served, rollout=INSIDE, bundle=served.bundle)


def test_a_pod_with_another_bundle_is_named(served: Served, tmp_path: Path) -> None:
    digest = make_moody_bundle(tmp_path / "other", tmp_path / "never")
    other = ServerPod("iris-3", tmp_path, tmp_path / "other", digest)
    try:
        assert digest != served.bundle["digest"]
        with pytest.raises(RolloutError, match=rf"pod iris-3: bundle {digest} answered, expected"):
            verify(served, ServerPods(*served.pods, other), rollout=INSIDE, bundle=served.bundle)
    finally:
        other.stop()


def test_only_ready_pods_are_asked_and_one_that_went_meanwhile_is_left_out(served: Served) -> None:
    pods = ServerPods(*served.pods)
    pods.unready = {"iris-1"}
    assert verify(served, pods, rollout=INSIDE, bundle=served.bundle)["summary"].endswith("1 pod: iris-2")
    pods.unready, pods.gone = set(), {"iris-2"}
    assert verify(served, pods, rollout=INSIDE, bundle=served.bundle)["summary"].endswith("1 pod: iris-1")


@pytest.mark.parametrize("lost", ["unready", "gone"])
def test_no_ready_pod_is_no_success(served: Served, lost: str) -> None:
    pods = ServerPods(*served.pods)
    setattr(pods, lost, {"iris-1", "iris-2"})
    with pytest.raises(UnavailableError, match="none that the Service selects is ready"):
        verify(served, pods, rollout=INSIDE, bundle=served.bundle)


def test_undo_verifies_the_champion_that_it_brought_back(served: Served) -> None:
    restored = {
        "champion": served.bundle["digest"],
        "key": served.bundle["key"],
        "changed": True,
        "summary": "returned",
    }
    found = verify(served, restored=restored)
    assert (found["rows"], found["digest"]) == (15, served.bundle["digest"])
    assert found["endpoint"] == "service of iris in models"


def test_undo_of_a_first_release_has_nothing_to_verify(served: Served) -> None:
    restored = {"champion": None, "changed": True, "summary": "stopped: there was no champion to return to"}
    found = verify(served, ServerPods(), restored=restored)
    assert found["summary"] == "nothing to verify: stopped: there was no champion to return to"
    assert (found["endpoint"], found["rows"], found["digest"], found["changed"]) == (None, None, None, False)


def test_undo_that_brought_nothing_back_is_said_to_have_failed(served: Served) -> None:
    with pytest.raises(RolloutError) as caught:
        verify(served, ServerPods(), restored=None)
    assert str(caught.value).startswith(
        "could not verify what serves: iris in models: the champion was not brought back: restore_kubernetes failed. "
        "The error of restore_kubernetes says why"
    )


def test_what_serves_and_is_in_no_ledger_has_no_golden_rows(served: Served) -> None:
    restored = {"champion": "sha256:1", "key": None, "changed": True, "summary": "returned to what served before"}
    found = verify(served, ServerPods(), restored=restored)
    assert found["summary"] == (
        "nothing to verify: returned to what served before; it is in no ledger, so that no golden rows of it are known"
    )
    assert (found["endpoint"], found["rows"], found["digest"], found["changed"]) == (None, None, None, False)
