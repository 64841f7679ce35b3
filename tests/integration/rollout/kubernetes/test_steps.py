"""What the tasks do on a cluster, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slipway.cluster.api import Cluster as Namespace
from slipway.core.errors import ConfigurationError, RejectedError
from slipway.rollout.kubernetes.judgement.wording import counted
from slipway.rollout.kubernetes.observation import is_ready
from tests.integration.rollout.kubernetes.conftest import Scripted
from tests.system.kubernetes.model import ClusterModel, Version, short_digest

MakeModel = Callable[..., ClusterModel]


def test_a_first_rollout_and_the_same_again(make_model: MakeModel, versions: list[Version]) -> None:
    model = make_model()
    model.begin()
    planned = model.plan(versions[0])
    assert not model.everything()
    assert f"Deployment/{model.name}" in planned["create"]
    result = model.roll_out(versions[0])
    assert result["changed"]
    assert model.served() == {short_digest(versions[0])}
    model.begin()
    assert model.plan(versions[0])["summary"].startswith("0 to create, 0 to change, 0 to remove")
    again = model.roll_out(versions[0])
    assert not again["changed"]
    assert again["summary"].startswith("already serving, nothing to roll out")


def test_a_canary_by_numbers_of_pods(make_model: MakeModel, versions: list[Version]) -> None:
    one, two, _ = versions
    model = make_model(replicas=4, strategy={"canary": {"steps": [20, 50]}})
    model.begin()
    assert model.shift(one, 20)["skipped"]
    model.roll_out(one)
    model.promote(one)
    model.begin()
    for percent, pods in ((20, 1), (50, 4)):
        shifted = model.shift(two, percent)
        assert (
            shifted["summary"]
            == f"canary bbbbbbbbbbbb: {counted(pods, 'pod')} beside 4 stable, its share by number of pods"
        )
        assert model.served() == {short_digest(one), short_digest(two)}
        assert not model.shift(two, percent)["changed"]  # tried again
    model.roll_out(two)
    assert model.served() == {short_digest(two)}
    assert model.deployments() == {model.name}


def test_a_canary_by_weights_of_a_route(make_model: MakeModel, versions: list[Version]) -> None:
    one, two, _ = versions
    gateway = {"host": "wine.example.com", "name": "public", "namespace": "edge"}
    model = make_model(replicas=3, expose={"gateway": gateway}, strategy={"canary": {"steps": [10, 50]}})
    model.begin()
    assert model.roll_out(one)["endpoint"] == "http://wine.example.com"
    model.promote(one)
    assert shares(model) == {model.name: 100}
    model.begin()
    model.shift(two, 10)
    assert shares(model) == {model.name: 90, f"{model.name}-canary": 10}
    model.shift(two, 50)
    assert shares(model) == {model.name: 50, f"{model.name}-canary": 50}
    assert model.served() == {short_digest(one)}  # the Service of the stable pods
    model.roll_out(two)
    assert shares(model) == {model.name: 100}
    assert model.served() == {short_digest(two)}
    assert f"Service {model.name}-canary" not in model.everything()


def shares(model: ClusterModel) -> dict[str, int]:
    [rule] = model.cluster.get("HTTPRoute", model.name)["spec"]["rules"]
    return {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}


def test_blue_green(make_model: MakeModel, versions: list[Version]) -> None:
    one, two, _ = versions
    model = make_model(strategy={"blue_green": {}}, autoscale={"maximum": 9})
    model.begin()
    model.roll_out(one)
    model.promote(one)
    scale(model, f"{model.name}-blue", 5)  # what an autoscaler does
    model.begin()
    assert model.plan(two)["create"]
    preview = model.start_preview(two)
    assert preview["track"] == "green"
    assert preview["summary"].endswith("5 pods, without traffic")  # as many as serve, not as the model file begins with
    assert model.served() == {short_digest(one)}
    result = model.roll_out(two)
    assert model.served() == {short_digest(two)}
    assert model.scaled() == f"{model.name}-green"
    assert model.deployments() == {f"{model.name}-blue", f"{model.name}-green"}
    model.promote(two)
    assert model.retire(result)["changed"]
    assert not model.retire(result)["changed"]
    assert model.deployments() == {f"{model.name}-green"}


def test_undo_of_blue_green_is_a_switch(make_model: MakeModel, versions: list[Version]) -> None:
    one, two, _ = versions
    model = make_model(strategy={"blue_green": {}})
    model.begin()
    model.roll_out(one)
    model.promote(one)
    before = {pod["metadata"]["uid"] for pod in model.pods()}
    model.begin()
    model.start_preview(two)
    model.roll_out(two)
    restored = model.bring_back()
    assert restored["champion"] == one.digest
    assert model.served() == {short_digest(one)}
    assert {pod["metadata"]["uid"] for pod in model.pods()} == before


def scale(model: ClusterModel, name: str, replicas: int) -> None:
    from kubernetes.client import AppsV1Api

    api, body = AppsV1Api(model.cluster.client), {"spec": {"replicas": replicas}}
    api.patch_namespaced_deployment_scale(name, model.cluster.namespace, body, field_manager="kube-controller-manager")
    model.wait_until(lambda: sum(map(is_ready, model.pods())) == replicas)


def test_what_an_autoscaler_has_set_outlasts_a_rollout(make_model: MakeModel, versions: list[Version]) -> None:
    model = make_model(replicas=2, autoscale={"maximum": 9})
    model.begin()
    model.roll_out(versions[0])
    model.promote(versions[0])
    scale(model, model.name, 6)
    model.begin()
    model.roll_out(versions[1])
    assert model.cluster.get("Deployment", model.name)["spec"]["replicas"] == 6
    assert model.served() == {short_digest(versions[1])}


def test_an_autoscaler_that_came_later_takes_over_without_a_drop(
    make_model: MakeModel, versions: list[Version]
) -> None:
    model = make_model(replicas=4)
    model.begin()
    model.roll_out(versions[0])
    model.promote(versions[0])
    model.with_target(replicas=2, autoscale={"maximum": 9})
    model.begin()
    model.roll_out(versions[1])
    assert model.cluster.get("Deployment", model.name)["spec"]["replicas"] == 4


def test_fewer_pods_are_wanted_only_once_the_new_ones_are_ready(
    scripted: Scripted, make_model: MakeModel, versions: list[Version]
) -> None:
    model = make_model(replicas=4)
    model.begin()
    model.roll_out(versions[0])
    model.promote(versions[0])
    model.with_target(replicas=2)
    least = []
    store = scripted.cluster.store
    unsubscribe = store.subscribe(lambda *_: least.append(sum(map(is_ready, store.list("Pod", "models")))))
    model.begin()
    model.roll_out(versions[1])
    unsubscribe()
    assert min(least) >= 2
    replaced = [seen for seen in least if seen < 4]
    assert not replaced or least.index(replaced[0]) > least.index(max(least))
    assert model.cluster.get("Deployment", model.name)["spec"]["replicas"] == 2


def test_another_strategy_than_before(make_model: MakeModel, versions: list[Version]) -> None:
    one, two, three = versions
    model = make_model()
    model.begin()
    model.roll_out(one)
    model.promote(one)
    model.with_target(strategy={"blue_green": {}})
    model.begin()
    model.start_preview(two)
    result = model.roll_out(two)
    model.promote(two)
    model.retire(result)
    assert model.deployments() == {f"{model.name}-blue"}
    model.with_target(strategy={"canary": {"steps": [50]}})
    model.begin()
    assert "from another strategy" in model.shift(three, 50)["summary"]
    model.roll_out(three)
    assert model.deployments() == {model.name}
    assert model.served() == {short_digest(three)}


def test_what_is_no_longer_declared_goes_and_a_strangers_stays(
    scripted: Scripted, make_model: MakeModel, versions: list[Version]
) -> None:
    model, other = make_model(autoscale={"maximum": 3}), make_model("other")
    for each in (model, other):
        each.begin()
        each.roll_out(versions[0])
        each.promote(versions[0])
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "wine-notes", "namespace": "models"}}
    theirs["metadata"]["labels"] = {"slipway.dev/model": model.model}
    scripted.cluster.store.create(theirs)
    kept = other.everything()
    model.with_target(autoscale=None)
    model.begin()
    assert model.plan(versions[0])["remove"] == [f"HorizontalPodAutoscaler/{model.name}"]
    model.roll_out(versions[0])
    assert not [item for item in model.everything() if item.startswith("Horizontal")]
    assert other.everything() == kept
    assert model.cluster.find("ConfigMap", "wine-notes")


def test_an_object_of_our_name_that_is_not_ours_is_refused(
    scripted: Scripted, make_model: MakeModel, versions: list[Version]
) -> None:
    model = make_model()
    port = {"port": 80, "protocol": "TCP", "targetPort": 80}
    scripted.cluster.store.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": model.name, "namespace": "models"},
            "spec": {"ports": [port], "selector": {"app": "theirs"}},
        }
    )
    model.begin()
    with pytest.raises(ConfigurationError, match="belongs to somebody else"):
        model.plan(versions[0])


def test_a_policy_s_no_is_found_by_the_plan(scripted: Scripted, make_model: MakeModel, versions: list[Version]) -> None:
    def deny(obj: dict[str, Any], _: dict[str, Any] | None) -> str | None:
        return "no owner label" if obj["kind"] == "Deployment" else None

    scripted.cluster.webhooks.add("policy.example.com", deny)
    model = make_model()
    model.begin()
    with pytest.raises(RejectedError, match=r"policy\.example\.com.*no owner label"):
        model.plan(versions[0])
    assert not model.everything()


@pytest.mark.parametrize(
    "strategy", [None, {"canary": {"steps": [50]}}, {"blue_green": {}}], ids=["rolling", "canary", "bg"]
)
def test_killed_after_any_change_and_tried_again(
    scripted: Scripted, make_model: MakeModel, versions: list[Version], strategy: dict[str, Any] | None
) -> None:
    """Each number of changes in turn, until the rollout is through before the kill."""
    one, two, three = versions
    model = make_model(strategy=strategy)
    model.begin()
    model.roll_out(one)
    model.promote(one)
    serving, other = one, two
    for calls in range(1, 40):
        model.begin()
        died = dies_after(calls, model, other)
        assert model.served() <= {short_digest(serving), short_digest(other)}
        for step in steps(model):
            step(other)
        assert model.served() == {short_digest(other)}
        model.promote(other)
        if strategy and "blue_green" in strategy:
            model.retire({"image": other.image, "digest": other.digest})
        assert len(model.deployments()) == 1
        if not died:
            return
        serving, other = other, {one: two, two: three, three: one}[other]
    raise AssertionError("never ran to its end")


def steps(model: ClusterModel) -> list[Callable[[Version], Any]]:
    before = {
        "rolling": [],
        "canary": [lambda version: model.shift(version, 50)],
        "blue_green": [model.start_preview],
    }
    return [*before[model.target.strategy_kind], model.roll_out]


class Killed(BaseException):
    """Not an Exception: nothing of ours may catch it."""


def dies_after(calls: int, model: ClusterModel, version: Version) -> bool:
    """The whole rollout, cut short after so many changes to the cluster; whether it was."""
    apply, delete, left = Namespace.apply, Namespace.delete, [calls]

    def counted(function: Any) -> Any:
        def around(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            left[0] -= not kwargs.get("dry_run", False)
            if left[0] == 0:
                raise Killed
            return result

        return around

    Namespace.apply, Namespace.delete = counted(apply), counted(delete)  # type: ignore[method-assign]
    try:
        for step in steps(model):
            step(version)
    except Killed:
        return True
    finally:
        Namespace.apply, Namespace.delete = apply, delete  # type: ignore[method-assign]
    return False
