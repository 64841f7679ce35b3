"""The target `kubernetes` on a cluster: rollouts that go well, by every strategy."""

from __future__ import annotations

import pytest

from slipway.cluster.permissions import check_permissions, needed_permissions
from slipway.core.errors import ConfigurationError, DeniedError
from tests.system.kubernetes.load import load
from tests.system.kubernetes.model import ClusterModel, Version, short_digest
from tests.system.kubernetes.place import Place


def test_a_first_rollout_is_planned_made_and_verified(model: ClusterModel, versions: list[Version]) -> None:
    model.begin()
    planned = model.plan(versions[0])
    assert not model.everything()  # a plan changes nothing
    assert f"Deployment/{model.name}" in planned["create"]
    assert (planned["change"], planned["remove"]) == ({}, [])
    result = model.roll_out(versions[0])
    assert result["changed"]
    assert result["endpoint"] == f"http://{model.name}.{model.target.namespace}.svc"
    assert model.verify(versions[0], result)["rows"] > 0
    assert model.served() == {short_digest(versions[0])}
    assert len(model.pods()) == 2
    assert model.everything() == {
        f"{kind} {model.name}"
        for kind in ("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount")
    }


def test_the_same_again_changes_nothing(model: ClusterModel, versions: list[Version]) -> None:
    model.deliver(versions[0])
    before = {pod["metadata"]["uid"] for pod in model.pods()}
    model.begin()
    planned = model.plan(versions[0])
    assert "0 to create, 0 to change, 0 to remove" in planned["summary"]
    result = model.roll_out(versions[0])
    assert not result["changed"]
    assert result["summary"].startswith("already serving, nothing to roll out")
    assert {pod["metadata"]["uid"] for pod in model.pods()} == before


def test_updates_and_a_way_back_to_release_n_minus_2_lose_no_request(
    model: ClusterModel, versions: list[Version], place: Place
) -> None:
    one, two, three = versions
    model.deliver(one)
    host = f"{model.name}.{place.namespace}.svc"
    with load(place, one.image, host) as clients:
        clients.wait_for_more()
        for version in (two, three):
            model.deliver(version)
        releases = [release for release in model.ledger.releases() if release.image == one.image]
        back = Version(releases[0].image or "", releases[0].bundle_digest, one.bundle)
        model.deliver(back)
        report = clients.wait_for_more()
    assert model.served() == {short_digest(one)}
    assert set(report["digests"]) == {version.digest for version in versions}
    assert report["lost"] == []


def test_a_canary_takes_its_share_and_is_promoted(model: ClusterModel, versions: list[Version], place: Place) -> None:
    one, two = versions[:2]
    quick = {"interval_seconds": 1, "count": 2}
    model.with_target(strategy={"canary": {"steps": [10, 50], "analysis": quick}})
    model.begin()
    assert model.shift(one, 10)["skipped"]  # nobody serves yet
    model.deliver(one)
    model.begin()
    host = f"{model.name}.{place.namespace}.svc"
    with load(place, one.image, host) as clients:
        for percent in (10, 50):
            shifted = model.shift(two, percent)
            assert not shifted["skipped"]
            assert model.analyse(two, shifted)["phase"] == "Successful"
            clients.wait_for_more()
        assert set(clients.report()["digests"]) == {one.digest, two.digest}
        result = model.roll_out(two)
        report = clients.wait_for_more()
    model.verify(two, result)
    assert report["lost"] == []
    assert model.served() == {short_digest(two)}
    assert f"Deployment {model.name}-canary" not in model.everything()


def test_blue_green_switches_at_once_and_keeps_the_way_back_until_the_promotion(
    model: ClusterModel, versions: list[Version]
) -> None:
    one, two = versions[:2]
    model.with_target(strategy={"blue_green": {"analysis": {"interval_seconds": 1, "count": 1}}})
    model.deliver(one)
    model.begin()
    preview = model.start_preview(two)
    assert model.served() == {short_digest(one)}
    assert model.analyse(two, preview)["phase"] == "Successful"
    model.roll_out(two)
    assert model.served() == {short_digest(two)}
    restored = model.restore()
    assert restored["champion"] == one.digest
    assert model.served() == {short_digest(one)}

    model.begin()
    model.start_preview(two)
    result = model.roll_out(two)
    assert len(model.pods()) == 4
    model.promote(two)
    assert model.retire(result)["changed"]
    assert model.served() == {short_digest(two)}
    assert sum(item.startswith("Deployment") for item in model.everything()) == 1


def test_what_is_no_longer_declared_is_removed_and_a_strangers_is_not(
    model: ClusterModel, versions: list[Version], place: Place
) -> None:
    model.with_target(autoscale={"maximum": 3})
    model.deliver(versions[0])
    assert f"HorizontalPodAutoscaler {model.name}" in model.everything()
    labels = {"slipway.dev/model": model.model}  # ours in part only
    place.core.create_namespaced_config_map(
        place.namespace, {"metadata": {"name": f"{model.name}-notes", "labels": labels}}
    )
    model.with_target(autoscale=None)
    model.deliver(versions[0])
    assert f"HorizontalPodAutoscaler {model.name}" not in model.everything()
    assert place.core.read_namespaced_config_map(f"{model.name}-notes", place.namespace)


def test_a_field_that_somebody_else_keeps_is_named_and_left(
    model: ClusterModel, versions: list[Version], place: Place
) -> None:
    from kubernetes.client import AppsV1Api

    model.deliver(versions[0])
    by_hand = {"spec": {"replicas": 3}}
    AppsV1Api(place.client).patch_namespaced_deployment(model.name, place.namespace, by_hand, field_manager="somebody")
    model.begin()
    with pytest.raises(ConfigurationError, match=r"\.spec\.replicas.*somebody.*force_conflicts") as caught:
        model.plan(versions[1])
    assert model.name in str(caught.value)
    assert model.served() == {short_digest(versions[0])}
    model.with_target(force_conflicts=True)
    model.roll_out(versions[1])
    assert model.served() == {short_digest(versions[1])}


def test_the_roles_that_are_given_are_enough_and_read_no_secret(place: Place) -> None:
    check_permissions(place.cluster, ["role"])
    needed = {(one.group, one.resource, one.subresource, one.verb) for one in needed_permissions(["role"])}
    assert ("", "secrets", "", "get") not in needed
    assert not [one for one in needed if "*" in one]


def test_a_missing_permission_is_named_before_anything_is_done(place: Place) -> None:
    elsewhere = type(place.cluster)(place.cluster.client, "kube-public", CONNECTION_NAME)
    with pytest.raises(DeniedError, match=r"deployments\.apps: .*patch"):
        check_permissions(elsewhere, ["role"])


CONNECTION_NAME = "the tests"
