"""No two models share an object, whatever they are called."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.core.kubernetes_section import KubernetesTarget
from slipway.core.model_file import NAME_PATTERN
from slipway.rollout.kubernetes.manifests import Manifests
from slipway.rollout.kubernetes.names import MAX_NAME, deployment_name, labels, object_name, track_labels
from tests.unit.rollout.kubernetes.models import NAMES, TRACKS, VERSION, everything

TARGET = KubernetesTarget.model_validate(
    {"expose": {"gateway": {"host": "a.example.com", "class_name": "eg", "issuer": "le"}}, "autoscale": {"maximum": 3}}
)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("iris", "iris"),
        ("flights-2", "flights-2"),
        ("a" * 46, "a" * 46),
        ("churn-20240131", "churn-20240131"),
        ("Iris", "iris-65003c7a18"),
        ("3d", "m-3d-"),
        ("a" * 47, "a" * 35 + "-"),
        ("iris-canary", "iris-canary-"),
        ("iris-blue", "iris-blue-"),
        ("iris-65003c7a18", "iris-65003c7a18-"),
        ("default", "default-"),
        ("kubernetes", "kubernetes-"),
    ],
)
def test_a_name_is_kept_where_it_can_be(model: str, name: str) -> None:
    assert object_name(model).startswith(name)
    assert len(object_name(model)) == len(name) or name.endswith("-")


@given(NAMES)
def test_a_name_is_a_dns_label_with_room_for_suffixes(model: str) -> None:
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", object_name(model))
    assert len(object_name(model)) <= MAX_NAME


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Two models, the second often called as something of the first's is."""
    first = draw(NAMES)
    name = object_name(first)
    near = [
        first.lower(),
        first.upper(),
        first[:-1],
        name,
        f"{name}-canary",
        f"{name}-green",
        f"m-{first}",
        f"{first}-keys",
    ]
    near += [each["metadata"]["name"] for each in Manifests(first, TARGET).foundation(VERSION)]
    second = draw(st.sampled_from(near) | NAMES)
    return first, second


def references(model: str) -> set[tuple[str, str]]:
    return {(each["kind"], each["metadata"]["name"]) for each in everything(Manifests(model, TARGET))}


@settings(max_examples=30, deadline=None)
@given(pairs().filter(lambda pair: pair[0] != pair[1] and re.fullmatch(NAME_PATTERN, pair[1]) is not None))
def test_two_models_never_share_an_object(pair: tuple[str, str]) -> None:
    first, second = pair
    assert not references(first) & references(second)


def test_tracks_have_deployments_of_their_own() -> None:
    assert [deployment_name("Iris", track) for track in TRACKS] == [
        "iris-65003c7a18",
        "iris-65003c7a18-canary",
        "iris-65003c7a18-blue",
        "iris-65003c7a18-green",
    ]


def test_labels_tell_the_model_as_the_model_file_spells_it() -> None:
    assert labels("Iris") == {
        "app.kubernetes.io/managed-by": "slipway",
        "app.kubernetes.io/name": "model-server",
        "app.kubernetes.io/instance": "iris-65003c7a18",
        "slipway.dev/model": "Iris",
    }
    assert track_labels("Iris", "blue") == {"slipway.dev/model": "Iris", "slipway.dev/track": "blue"}
