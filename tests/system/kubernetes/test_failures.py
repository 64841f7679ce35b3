"""Rollouts that fail on a cluster: what the error says, that the previous version serves on, and that undo brings it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from slipway.core.errors import RolloutError
from tests.system.kubernetes.dying import roll_out_and_die
from tests.system.kubernetes.model import ClusterModel, Version, short_digest
from tests.system.kubernetes.place import Place


@pytest.fixture(scope="session")
def broken(make_version: Callable[[str, str], Version]) -> Version:
    """Its bundle is not the one that the image says: it ends at every start."""
    return make_version("broken", "ENV SLIPWAY_BUNDLE=/nowhere")


def fails(model: ClusterModel, version: Version) -> str:
    """Roll out in vain beside a version that serves all along, undo; returns the error's text."""
    model.begin()
    before = model.served()
    with pytest.raises(RolloutError) as caught:
        model.roll_out(version)
    assert model.served() == before
    assert model.restore()["verified"]["rows"] > 0
    assert model.served() == before
    assert {pod["metadata"]["labels"]["slipway.dev/bundle"] for pod in model.pods()} == before
    return str(caught.value)


def test_a_version_that_does_not_start(model: ClusterModel, versions: list[Version], broken: Version) -> None:
    model.deliver(versions[0])
    text = fails(model, broken)
    assert "CrashLoopBackOff" in text
    assert "/nowhere" in text  # from the pod's last lines
    assert "2 pods keep serving" in text


def test_an_image_that_is_not_there(model: ClusterModel, versions: list[Version]) -> None:
    model.deliver(versions[0])
    absent = versions[1].image.partition("@")[0] + "@sha256:" + "0" * 64
    text = fails(model, Version(absent, versions[1].digest, versions[1].bundle))
    assert "ImagePullBackOff" in text
    assert "the registry does not have this image" in text


def test_no_quota_for_another_pod(model: ClusterModel, versions: list[Version], place: Place) -> None:
    model.deliver(versions[0])
    # Pods of other tests are still ending, and would make room.
    model.wait_until(lambda: len(place.core.list_namespaced_pod(place.namespace).items) == 2, 150)
    with quota(place, {"pods": "2"}):
        text = fails(model, versions[1])
    assert "QuotaExceeded" in text
    assert "tight" in text


@contextmanager
def quota(place: Place, hard: dict[str, str]) -> Iterator[None]:
    body = {"metadata": {"name": "tight"}, "spec": {"hard": hard}}
    place.core.create_namespaced_resource_quota(place.namespace, body)
    try:
        yield
    finally:
        place.core.delete_namespaced_resource_quota("tight", place.namespace)


def test_more_than_any_node_has(model: ClusterModel, versions: list[Version]) -> None:
    model.deliver(versions[0])
    given = model.target
    model.with_target(cpu="9999", cpu_limit="9999")
    model.begin()
    with pytest.raises(RolloutError, match=r"Unschedulable.*cpu"):
        model.roll_out(versions[1])
    model.target = given
    model.restore()
    assert model.served() == {short_digest(versions[0])}


def test_too_little_memory(model: ClusterModel, versions: list[Version]) -> None:
    model.deliver(versions[0])
    given = model.target
    model.with_target(memory="24Mi")
    model.begin()
    with pytest.raises(RolloutError, match=r"OOMKilled.*24Mi"):
        model.roll_out(versions[1])
    model.target = given
    model.restore()
    assert model.served() == {short_digest(versions[0])}


def test_a_canary_that_fails_its_analysis_is_taken_back(model: ClusterModel, versions: list[Version]) -> None:
    one, two, three = versions
    quick = {"interval_seconds": 1, "count": 2}
    model.with_target(strategy={"canary": {"steps": [50], "analysis": quick}})
    model.deliver(one)
    model.begin()
    shifted = model.shift(two, 50)
    with pytest.raises(RolloutError, match="golden") as caught:
        model.analyse(three, shifted)  # the canary is not the version that was to be looked at
    assert short_digest(two) in str(caught.value) or two.digest in str(caught.value)
    restored = model.restore()
    assert restored["verified"]["rows"] > 0
    assert model.served() == {short_digest(one)}
    assert f"Deployment {model.name}-canary" not in model.everything()


def test_a_first_release_that_fails_leaves_nothing(model: ClusterModel, broken: Version) -> None:
    model.begin()
    with pytest.raises(RolloutError, match="nothing was serving before"):
        model.roll_out(broken)
    from slipway.rollout.kubernetes.operators import RestoreKubernetesOperator
    from tests.system.kubernetes.task import perform

    assert perform(RestoreKubernetesOperator(task_id="restore_kubernetes", **model.given()))["changed"]
    assert not model.everything()


@pytest.mark.parametrize("changes", [1, 4, 5, 8])  # the fourth is the Deployment's
def test_killed_after_any_change_and_tried_again(model: ClusterModel, versions: list[Version], changes: int) -> None:
    model.deliver(versions[0])
    model.begin()
    assert roll_out_and_die(model, versions[1], changes)
    result = model.roll_out(versions[1])
    model.verify(versions[1], result)
    assert model.served() == {short_digest(versions[1])}
    assert model.deployments() == {model.name}
    assert len(model.pods()) == 2
