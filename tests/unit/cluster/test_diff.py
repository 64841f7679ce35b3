from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.cluster.diff import Change, diff_objects


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "iris"}, "spec": spec}


def test_a_field_that_changed_is_named_by_its_path() -> None:
    assert diff_objects(deployment(replicas=2, paused=False), deployment(replicas=3, paused=False)) == [
        Change("spec.replicas", 2, 3)
    ]


def test_the_apis_own_bookkeeping_is_no_change() -> None:
    live = deployment(replicas=2)
    live["metadata"] |= {"uid": "a", "resourceVersion": "7", "generation": 3, "managedFields": [{"manager": "slipway"}]}
    live["metadata"] |= {"creationTimestamp": "2026-01-01T00:00:00Z"}
    assert diff_objects(live | {"status": {"readyReplicas": 2}}, deployment(replicas=2)) == []


def test_labels_with_dots_and_slashes_are_in_brackets() -> None:
    before, after = deployment(), deployment()
    before["metadata"]["labels"] = {"app": "a"}
    after["metadata"]["labels"] = {"app": "a", "slipway.dev/model": "iris"}
    assert diff_objects(before, after) == [Change("metadata.labels[slipway.dev/model]", None, "iris")]


def test_items_of_a_list_are_matched_by_name() -> None:
    server = {"name": "server", "image": "a@sha256:1", "ports": [{"containerPort": 8080}]}
    before = deployment(containers=[server])
    after = deployment(containers=[{"name": "proxy", "image": "p"}, server | {"image": "a@sha256:2"}])
    assert diff_objects(before, after) == [
        Change("spec.containers[server].image", "a@sha256:1", "a@sha256:2"),
        Change("spec.containers[proxy].name", None, "proxy"),
        Change("spec.containers[proxy].image", None, "p"),
    ]


def test_the_order_of_named_items_is_no_change() -> None:
    one, two = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}
    assert diff_objects(deployment(env=[one, two]), deployment(env=[two, one])) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["GET"], ["GET", "PUT"], [Change("spec.x", ["GET"], ["GET", "PUT"])]),
        ([{"name": "a", "v": 1}, {"name": "a", "v": 2}], [{"name": "a", "v": 1}], None),
        ({"emptyDir": {}}, {"emptyDir": {"medium": "Memory"}}, [Change("spec.x.emptyDir", {}, {"medium": "Memory"})]),
        ({"a": 1}, "text", [Change("spec.x", {"a": 1}, "text")]),
    ],
)
def test_what_has_no_names_is_compared_by_place_or_whole(
    before: Any, after: Any, expected: list[Change] | None
) -> None:
    wanted = expected or [Change("spec.x[1].name", "a", None), Change("spec.x[1].v", 2, None)]
    assert diff_objects(deployment(x=before), deployment(x=after)) == wanted


def test_without_a_live_object_all_that_is_wanted_is_new() -> None:
    assert diff_objects(None, deployment(replicas=2)) == [
        Change("metadata.name", None, "iris"),
        Change("spec.replicas", None, 2),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "port", "x", "y/z"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert diff_objects(deployment(x=value), deployment(x=value)) == []


@given(JSON, JSON)
def test_every_change_really_is_one_and_is_found_in_both_directions(before: Any, after: Any) -> None:
    there = diff_objects(deployment(x=before), deployment(x=after))
    back = diff_objects(deployment(x=after), deployment(x=before))
    assert all(change.before != change.after for change in there)
    assert sorted(change.path for change in there) == sorted(change.path for change in back)
    assert {(change.path, repr(change.before), repr(change.after)) for change in there} == {
        (change.path, repr(change.after), repr(change.before)) for change in back
    }
