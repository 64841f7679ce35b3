"""Undo on a cluster: what served comes back as it was, whatever the run changed besides the version."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from slipway.core.errors import RejectedError, RolloutError
from tests.cluster.fates import image_absent
from tests.integration.rollout.kubernetes.conftest import Scripted
from tests.system.kubernetes.model import ClusterModel, Version, short_digest

MakeModel = Callable[..., ClusterModel]
GATEWAY = {"host": "wine.example.com", "name": "public", "namespace": "edge"}


def delivered(model: ClusterModel, version: Version) -> ClusterModel:
    model.begin()
    model.roll_out(version)
    model.promote(version)
    return model


def fails(scripted: Scripted, model: ClusterModel, version: Version) -> str:
    scripted.fates[short_digest(version)] = image_absent()
    model.begin()
    with pytest.raises(RolloutError) as caught:
        model.roll_out(version)
    return str(caught.value)


def test_undo_brings_back_what_the_champion_was_served_with(
    scripted: Scripted, make_model: MakeModel, versions: list[Version]
) -> None:
    one, two, _ = versions
    model = delivered(make_model(expose={"gateway": GATEWAY}, allow_from={"namespaces": ["metrics"]}), one)
    before, pods = model.everything(), {pod["metadata"]["uid"] for pod in model.pods()}
    route = model.cluster.get("HTTPRoute", model.name)["spec"]
    template = model.cluster.get("Deployment", model.name)["spec"]["template"]
    model.with_target(pull_secret="typo", memory="1Gi", replicas=3, expose=None, allow_from={})
    text = fails(scripted, model, two)
    assert "ImagePullBackOff" in text
    assert "2 pods keep serving" in text
    restored = model.bring_back()
    assert restored["champion"] == one.digest
    assert model.served() == {short_digest(one)}
    assert {pod["metadata"]["uid"] for pod in model.pods()} == pods  # not one of them was made anew
    assert model.everything() == before
    assert model.cluster.get("HTTPRoute", model.name)["spec"] == route
    assert model.cluster.get("Deployment", model.name)["spec"]["template"] == template


def test_undo_of_a_canary_leaves_the_stable_pods_alone_though_keys_changed(
    scripted: Scripted, make_model: MakeModel, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, _ = versions
    model = delivered(make_model(expose={"gateway": GATEWAY}, strategy={"canary": {"steps": [50]}}), one)
    pods = {pod["metadata"]["uid"] for pod in model.pods()}
    model.begin()
    model.shift(two, 50)
    model.with_target(pull_secret="another")
    model.bring_back()
    assert {pod["metadata"]["uid"] for pod in model.pods()} == pods
    [rule] = model.cluster.get("HTTPRoute", model.name)["spec"]["rules"]
    assert [backend["name"] for backend in rule["backendRefs"]] == [model.name]


def test_who_reached_the_old_version_reaches_it_until_the_new_one_serves(
    scripted: Scripted, make_model: MakeModel, versions: list[Version]
) -> None:
    one, two, three = versions
    model = delivered(make_model(allow_from={"namespaces": ["before"]}), one)
    model.with_target(allow_from={"namespaces": ["after"]})
    fails(scripted, model, two)
    assert let_in(model) >= {"before", "after"}
    model.bring_back()
    assert let_in(model) == {"before"}
    model.begin()
    model.roll_out(three)
    assert let_in(model) == {"after"}


def let_in(model: ClusterModel) -> set[str]:
    [rule] = model.cluster.get("NetworkPolicy", model.name)["spec"]["ingress"]
    selectors = [peer.get("namespaceSelector", {}).get("matchLabels", {}) for peer in rule["from"]]
    return {labels["kubernetes.io/metadata.name"] for labels in selectors if labels}


def test_what_serves_without_a_ledger_is_brought_back_too(
    scripted: Scripted, make_model: MakeModel, versions: list[Version]
) -> None:
    one, two, _ = versions
    model = make_model()
    model.begin()
    model.roll_out(one)  # and its store is lost
    fails(scripted, model, two)
    assert model.bring_back()["champion"] == one.digest
    assert model.served() == {short_digest(one)}


def test_a_run_during_which_another_was_promoted_goes_no_further(
    make_model: MakeModel, versions: list[Version]
) -> None:
    one, two, three = versions
    model = delivered(make_model(strategy={"canary": {"steps": [50]}}), one)
    model.begin()
    model.shift(two, 50)
    slow = model.run_id
    delivered(model, three)
    model.ledger.turn(model.run_id).give_back()
    model.run_id = slow
    with pytest.raises(RejectedError, match="release 2 was promoted since"):
        model.roll_out(two)
    assert model.served() == {short_digest(three)}


def test_the_previous_colour_is_left_to_a_run_that_has_the_turn(make_model: MakeModel, versions: list[Version]) -> None:
    one, two, three = versions
    model = delivered(make_model(strategy={"blue_green": {}}), one)
    model.begin()
    model.start_preview(two)
    result = model.roll_out(two)
    model.promote(two)
    first = model.run_id
    model.begin()
    model.start_preview(three)
    second, model.run_id = model.run_id, first
    assert not model.retire(result)["changed"]
    model.run_id = second
    model.roll_out(three)
    assert model.served() == {short_digest(three)}


def test_an_autoscaler_that_is_no_longer_declared_gives_its_pods_back(
    make_model: MakeModel, versions: list[Version]
) -> None:
    from tests.integration.rollout.kubernetes.test_steps import scale

    model = delivered(make_model(replicas=2, autoscale={"maximum": 9}), versions[0])
    scale(model, model.name, 6)
    model.with_target(autoscale=None)
    model.begin()
    model.plan(versions[1])
    model.roll_out(versions[1])
    assert model.cluster.get("Deployment", model.name)["spec"]["replicas"] == 2
    assert model.served() == {short_digest(versions[1])}


def test_a_load_balancer_may_be_added_to_what_serves(
    scripted: Scripted, make_model: MakeModel, versions: list[Version]
) -> None:
    model = delivered(make_model(timeout_minutes=0.05), versions[0])
    model.with_target(expose={"load_balancer": {"source_ranges": ["203.0.113.0/24"]}})
    model.begin()
    with pytest.raises(RolloutError, match="no address in time"):  # nobody gives any here
        model.roll_out(versions[0])
    service = model.cluster.get("Service", model.name)
    assert service["spec"]["loadBalancerSourceRanges"] == ["203.0.113.0/24"]
    status = {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}}
    scripted.cluster.store.set_status("Service", "models", model.name, status)
    assert model.roll_out(versions[0])["endpoint"] == "http://198.51.100.7"
