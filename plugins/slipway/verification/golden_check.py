"""Golden rows from the store, checked against the bundle's digest, put to the endpoint."""

from __future__ import annotations

import json
from typing import Any

from slipway.core.errors import RejectedError, RolloutError
from slipway.core.identity import sha256_hex
from slipway.storage.object_store import ObjectStore
from slipway.verification.client import FAILED, Answer, ask
from slipway.verification.golden import find_difference


def verify(store: ObjectStore, key: str, digest: str, endpoint: str, api_key: str | None = None) -> int:
    """Replay the golden rows of the bundle at `key`; returns how many there are.

    Raises:
        RolloutError: an answer differs, or another bundle gave it.
        RejectedError: golden.json is not the one that was trained.
        UnavailableError: the endpoint does not answer.
    """
    golden = get_golden(store, key, digest)
    replay(golden, digest, endpoint, api_key)
    return len(golden["rows"])


def replay(golden: dict[str, Any], digest: str, endpoint: str, api_key: str | None = None) -> None:
    """Put the golden rows of the bundle with this digest to an endpoint.

    Raises:
        RolloutError: an answer differs, or another bundle gave it.
        UnavailableError: the endpoint does not answer.
    """
    answer = ask(endpoint, golden["rows"], probabilities=golden["probabilities"] is not None, api_key=api_key)
    if answer.digest != digest:
        raise _failed(endpoint, other_bundle(answer.digest, digest))
    compare(golden, answer, endpoint)


def compare(golden: dict[str, Any], answer: Answer, endpoint: str) -> None:
    """Raises RolloutError: it is not what training predicted."""
    if difference := find_difference(golden, answer.body):
        raise _failed(endpoint, difference)


def other_bundle(found: str, expected: str) -> str:
    """Two digests in words."""
    return f"bundle {found or '(none named)'} answered, expected {expected}"


def get_golden(store: ObjectStore, key: str, digest: str) -> dict[str, Any]:
    """The golden rows of the bundle at `key`, as they were trained.

    Raises:
        RejectedError: they are not; or the manifest is not the one of that digest.
        AbsentError: there is no such bundle.
    """
    manifest, golden = store.read(f"{key}manifest.json"), store.read(f"{key}golden.json")
    listed = json.loads(manifest)["files"]["golden.json"]["sha256"]
    if f"sha256:{sha256_hex(manifest)}" != digest or sha256_hex(golden) != listed:
        raise RejectedError(
            FAILED,
            on=f"{store.uri}/{key}golden.json",
            why="it is not the one that was trained: its digest differs from the manifest's",
            fix="Restore the object, or train again.",
        )
    value: dict[str, Any] = json.loads(golden)
    return value


def _failed(endpoint: str, why: str) -> RolloutError:
    fix = (
        "The run is undone. Compare the row's values and types with the schema; is something between us and the server?"
    )
    return RolloutError(FAILED, on=endpoint, why=why, fix=fix)
