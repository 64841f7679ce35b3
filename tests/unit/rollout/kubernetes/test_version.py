"""A version is brought back from what its Deployment says of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.core.errors import ConfigurationError
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.rollout.kubernetes.version import Version
from slipway.rollout.served import ServerAccess
from tests.unit.rollout.kubernetes.models import DIGEST, HASHES, IMAGE, VERSION


def test_the_model_file_declares_a_version() -> None:
    target = KubernetesTarget(workers=2)
    found = Version.of(target, IMAGE, DIGEST, ServerAccess(HASHES, 5, 7))
    assert found == Version(IMAGE, DIGEST, 2, "500m", "2", "1024Mi", HASHES, 5, 7)


def test_an_open_one_is_asked_by_everyone() -> None:
    assert Version.of(KubernetesTarget(), IMAGE, DIGEST, None).key_hashes is None


ACCESSES = st.none() | st.builds(ServerAccess, st.lists(st.text()).map(tuple), st.floats(0, 1e9), st.integers())


@given(st.builds(Version, st.text(), st.text(), st.integers(), st.text(), st.text(), st.text(), st.none()), ACCESSES)
def test_an_annotation_brings_the_version_back(served: Version, access: ServerAccess | None) -> None:
    again = Version.from_annotation(served.annotation(), access)
    assert again.annotation() == served.annotation()
    if access is None:
        assert again == served
    else:
        asked = {"key_hashes": access.key_hashes, "requests_per_second": access.requests_per_second}
        assert again == replace(served, **asked, burst=access.burst)
        assert again.id == replace(served, **asked, burst=access.burst).id


def test_who_may_ask_is_in_no_annotation() -> None:
    assert set(json.loads(VERSION.annotation())) == {"image", "digest", "workers", "cpu", "cpu_limit", "memory"}
    assert HASHES[0] not in VERSION.annotation()


@pytest.mark.parametrize(
    "change",
    [
        {"image": "other"},
        {"digest": "other"},
        {"workers": 2},
        {"cpu": "251m"},
        {"cpu_limit": "2"},
        {"memory": "1Gi"},
        {"key_hashes": None},
        {"key_hashes": HASHES[:1]},
        {"requests_per_second": 0.5},
        {"burst": 1},
    ],
)
def test_whatever_is_served_otherwise_has_another_id(change: dict[str, Any]) -> None:
    assert replace(VERSION, **change).id != VERSION.id
    assert len(VERSION.id) == 12


def test_equal_versions_have_equal_ids() -> None:
    assert replace(VERSION, requests_per_second=0.0) == replace(VERSION, requests_per_second=0)
    assert replace(VERSION, requests_per_second=0.0).id == replace(VERSION, requests_per_second=0).id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        json.dumps(json.loads(VERSION.annotation()) | {"workers": "2"}),
        json.dumps(json.loads(VERSION.annotation()) | {"workers": True}),
        json.dumps(json.loads(VERSION.annotation()) | {"key_hashes": None}),
        json.dumps({"image": IMAGE}),
    ],
)
def test_what_somebody_else_wrote_is_no_version(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"annotation slipway\.dev/version: it is no record of Slipway's"):
        Version.from_annotation(text, None)
