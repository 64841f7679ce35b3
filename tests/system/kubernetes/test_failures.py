"""Rollouts that fail on a cluster: what the error says, that the previous version serves on, and that undo brings it back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from slipway.core.errors import RolloutError
from tests.system.kubernetes.dying import roll_out_and_die
from tests.system.kubernetes.limits import require_limits
from tests.system.kubernetes.load import load
from tests.system.kubernetes.model import ClusterModel, Version, short_digest
from tests.system.kubernetes.place import Place

# No cluster needs a controller of that class: only that the object is made, and removed, is looked at.
ENTRY = {"ingress": {"host": "iris.example.com", "class_name": "nobody"}}


@pytest.fixture(scope="session")
def broken(make_version: Callable[[str, str], Version]) -> Version:
    """Its bundle is not the one that the image says: it ends at every start."""
    return make_version("broken", "ENV SLIPWAY_BUNDLE=/nowhere")


@pytest.fixture(scope="session")
def failing(make_version: Callable[[str, str], Version]) -> Version:
    """It gets ready, and then cannot answer."""
    return make_version("failing", sabotaged("raise RuntimeError('broken on purpose')"))


@pytest.fixture(scope="session")
def wrong(make_version: Callable[[str, str], Version]) -> Version:
    """It gets ready, and then answers something else than in training."""
    return make_version(
        "wrong",
        sabotaged(
            "found = answer(self, inputs, **options); return found._replace(predicted=(found.predicted + 1) % 3)"
        ),
    )


def sabotaged(answer: str) -> str:
    """A Dockerfile's line: the model server, ready as always, whose every prediction is made by this line of Python."""
    script = f"""
from model_server.__main__ import main
from model_server.model import Model
answer = Model.predict
def sabotaged(self, inputs, **options):
    {answer}
Model.predict = sabotaged
raise SystemExit(main())
"""
    return f"ENTRYPOINT {json.dumps(['python3', '-c', script])}"


def absent(version: Version) -> Version:
    """The version, as an image that the registry does not have."""
    return replace(version, image=version.image.partition("@")[0] + "@sha256:" + "0" * 64)


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
    text = fails(model, absent(versions[1]))
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


def test_more_than_any_node_has(model: ClusterModel, versions: list[Version], place: Place) -> None:
    require_limits(place, versions[0].image, cpu="9999")
    model.deliver(versions[0])
    model.with_target(cpu="9999", cpu_limit="9999")
    model.begin()
    with pytest.raises(RolloutError, match=r"Unschedulable.*cpu"):
        model.roll_out(versions[1])
    model.restore()
    assert model.served() == {short_digest(versions[0])}


def test_too_little_memory(model: ClusterModel, versions: list[Version], place: Place) -> None:
    require_limits(place, versions[0].image, memory="24Mi")
    model.deliver(versions[0])
    model.with_target(memory="24Mi")
    model.begin()
    with pytest.raises(RolloutError, match=r"OOMKilled.*24Mi"):
        model.roll_out(versions[1])
    model.restore()
    assert model.served() == {short_digest(versions[0])}


def test_undo_brings_back_what_the_model_file_said_before(model: ClusterModel, versions: list[Version]) -> None:
    model.deliver(versions[0])
    before = model.settings()
    model.with_target(pull_secret="nobody-made-this", cpu="150m", replicas=3, expose=ENTRY)
    fails(model, absent(versions[1]))
    assert model.settings() == before


def test_undo_after_a_good_rollout_brings_back_what_the_model_file_said_before(
    model: ClusterModel, versions: list[Version]
) -> None:
    model.deliver(versions[0])
    before = model.settings()
    model.with_target(cpu="150m", replicas=3, expose=ENTRY)
    model.begin()
    model.roll_out(versions[1])
    assert f"Ingress {model.name}" in model.everything()
    assert len(model.pods()) == 3
    restored = model.restore()
    assert restored["verified"]["rows"] > 0
    assert model.served() == {short_digest(versions[0])}
    assert model.settings() == before


def test_a_canary_that_answers_with_errors_is_taken_back(
    model: ClusterModel, versions: list[Version], failing: Version, place: Place
) -> None:
    model.deliver(versions[0])
    # Without golden rows, so that what users get decides.
    model.with_target(strategy=canary(interval_seconds=2, count=10, golden_rows=False))
    with load(place, versions[0].image, f"{model.name}.{place.namespace}.svc") as clients:
        clients.wait_for_more()
        model.begin()
        shifted = model.shift(failing, 50)
        with pytest.raises(RolloutError, match="error rate is not as it must be") as caught:
            model.analyse(failing, shifted)
        assert re.search(r"100 % of [0-9]+ answers failed, allowed 1 %", str(caught.value))
        assert f"most at {model.name}-canary-" in str(caught.value)
        taken_back(model, versions[0])
        # Connections that were open stay with the canary until it ends.
        canaries = {"slipway.dev/model": model.model, "slipway.dev/track": "canary"}
        model.wait_until(lambda: not model.cluster.list("Pod", canaries), 120)
        losses = clients.wait_for_more()["losses"]
        report = clients.wait_for_more()
    assert report["losses"] == losses > 0  # the stable version loses nothing
    assert all(lost.startswith("500 ") for lost in report["lost"])


def test_a_canary_that_answers_wrongly_is_taken_back(
    model: ClusterModel, versions: list[Version], wrong: Version
) -> None:
    model.deliver(versions[0])
    model.with_target(strategy=canary(interval_seconds=1, count=3))
    model.begin()
    shifted = model.shift(wrong, 50)
    with pytest.raises(RolloutError, match="golden rows is not as it must be") as caught:
        model.analyse(wrong, shifted)
    assert f"{model.name}-canary-" in str(caught.value)  # the pod, and which answer
    assert "setosa" in str(caught.value)
    taken_back(model, versions[0])


def canary(**analysis: Any) -> dict[str, Any]:
    return {"canary": {"steps": [50], "analysis": analysis}}


def taken_back(model: ClusterModel, to: Version) -> None:
    restored = model.restore()
    assert restored["verified"]["rows"] > 0
    assert model.served() == {short_digest(to)}
    assert model.deployments() == {model.name}


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
