"""A model's store, a bundle and a release, for the tests of rollout tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slipway.core.model_file import Access
from slipway.core.release import Release

BUNDLE = {"key": "models/m1/", "digest": "sha256:aa"}
RELEASE = Release(
    number=0,
    model="iris",
    partition="2026-01-01",
    dataset_id="d",
    model_id="m",
    bundle_digest="sha256:champion",
    outcome="first release",
    run_id="r0",
    created="2026-01-01T00:00:00+00:00",
)


def where_of(folder: Path, target: Any) -> dict[str, Any]:
    """What every rollout task is told: run r1 of the model iris, with its store below `folder`."""
    return {
        "model": "iris",
        "store": str(folder / "store"),
        "target": target,
        "access": Access(open=True),
        "run_id": "r1",
    }
