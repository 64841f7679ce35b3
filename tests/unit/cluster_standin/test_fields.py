"""Server-side apply as a function: what holds for every object and every order of managers."""

from __future__ import annotations

import copy
import functools
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.apply import apply
from tests.cluster.fields import record_update
from tests.cluster.quantities import parse, text_of
from tests.cluster.status import StatusError
from tests.cluster.store import Store

NOW = "2026-01-01T00:00:00Z"
VALUES = st.sampled_from(["1", "2", "3"])
ENV = st.dictionaries(st.sampled_from("ABC"), VALUES, max_size=3).map(
    lambda found: [{"name": name, "value": value} for name, value in found.items()]
)
CONTAINERS = st.lists(
    st.builds(
        lambda name, image, env: {"name": name, "image": image, **({"env": env} if env else {})},
        st.sampled_from(["server", "proxy"]),
        VALUES,
        ENV,
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda one: one["name"],
)


@st.composite
def deployments(draw: st.DrawFn) -> dict[str, Any]:
    labels = draw(st.dictionaries(st.sampled_from(["a", "b/c"]), VALUES, max_size=2))
    spec: dict[str, Any] = {"template": {"spec": {"containers": draw(CONTAINERS)}}}
    if draw(st.booleans()):
        spec["replicas"] = draw(st.integers(0, 3))
    meta: dict[str, Any] = {"name": "x", "namespace": "n", **({"labels": labels} if labels else {})}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def applied(live: dict[str, Any] | None, wanted: dict[str, Any], manager: str = "a") -> dict[str, Any]:
    return apply(live, wanted, manager=manager, force=True, now=NOW)


def plain(obj: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(obj)
    result["metadata"].pop("managedFields")
    return result


@given(deployments(), deployments())
def test_one_manager_alone_gets_exactly_what_it_applied_last(first: dict[str, Any], second: dict[str, Any]) -> None:
    after = applied(applied(None, first), second)
    assert plain(after) == second
    assert applied(after, second) == after


def by_name(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items of a keyed list in one order; whose order counts when two manage it is not the point here."""
    return sorted(
        ({**item, **({"env": by_name(item["env"])} if "env" in item else {})} for item in items),
        key=lambda item: str(item["name"]),
    )


@given(deployments(), deployments(), st.booleans())
def test_giving_up_takes_away_what_was_owned_alone_and_nothing_else(
    mine: dict[str, Any], others: dict[str, Any], with_labels: bool
) -> None:
    live = applied(applied(None, mine), others, "b")
    less = copy.deepcopy(others)
    less["spec"].pop("replicas", None)
    if not with_labels:
        less["metadata"].pop("labels", None)
    after = plain(apply(live, less, manager="a", force=False, now=NOW))
    after["spec"]["template"]["spec"]["containers"] = by_name(after["spec"]["template"]["spec"]["containers"])
    others["spec"]["template"]["spec"]["containers"] = by_name(others["spec"]["template"]["spec"]["containers"])
    assert after == others


@given(deployments(), deployments())
def test_an_update_owns_what_it_changed_and_so_conflicts_with_an_apply_of_the_old(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    live = applied(None, first)
    new = record_update(live, copy.deepcopy(second), manager="edit", subresource="", now=NOW)
    if first["spec"].get("replicas") != second["spec"].get("replicas") and "replicas" in second["spec"]:
        with pytest.raises(StatusError) as caught:
            apply(new, first | {"spec": first["spec"] | {"replicas": 9}}, manager="a", force=False, now=NOW)
        assert ".spec.replicas" in [cause["field"] for cause in caught.value.details["causes"]]
    assert plain(applied(new, second, "edit")) == second


@pytest.mark.parametrize(
    ("text", "number", "back"),
    [
        ("500m", "0.5", "500m"),
        ("1", "1", "1"),
        ("1Gi", str(2**30), "1Gi"),
        ("1.5", "1.5", "1500m"),
        ("2k", "2000", "2000"),
    ],
)
def test_quantities_are_numbers(text: str, number: str, back: str) -> None:
    assert parse(text) == parse(number)
    assert text_of(parse(text), text) == back


@pytest.mark.parametrize("text", ["", "abc", "1 Gi", "1Gib", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        parse(text)


def test_writers_of_many_threads_lose_nothing() -> None:
    store = Store()
    store.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": {}})
    versions: list[int] = []
    store.subscribe(lambda _, obj: versions.append(int(obj["metadata"]["resourceVersion"])))

    def add(obj: dict[str, Any], key: str) -> None:
        obj["data"][key] = ""

    def write(name: str) -> None:
        for number in range(50):
            store.update("ConfigMap", "n", "c", functools.partial(add, key=f"{name}{number}"))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.get("ConfigMap", "n", "c")["data"]) == 200
    assert versions == sorted(versions)
    assert len(versions) == 200
