"""How a pod says what became of its job: in the container's termination message, which the API shows in the pod's status.

So nobody needs the right to run commands in the pod, and no second container waits for someone to fetch a result
(https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from slipway.core.errors import RejectedError, SlipwayError
from slipway.core.identity import sha256_hex
from slipway.storage.object_store import ObjectStore

MESSAGE_PATH = "/dev/termination-log"
# What Kubernetes keeps of it.
MESSAGE_BYTES = 4096
_MARK = "slipway"
_PARTS = ("failed", "on", "why", "fix")


def result_message(result: dict[str, Any], store: Callable[[], ObjectStore]) -> bytes:
    """The message of a job that was done; a result too long for one goes to the store, under its SHA-256."""
    message = _message(result=result)
    if len(message) <= MESSAGE_BYTES:
        return message
    data = json.dumps(result).encode()
    key, sha256 = f"results/{sha256_hex(data)}.json", sha256_hex(data)
    store().write(key, data)
    return _message(stored={"key": key, "sha256": sha256})


def error_message(error: SlipwayError) -> bytes:
    """The message of a job that failed as we know how; a cause too long for one loses its end."""
    parts = error.as_json()
    while len(message := _message(error=parts)) > MESSAGE_BYTES:
        longest = max(_PARTS, key=lambda name: len(parts[name]))
        parts[longest] = parts[longest][: len(parts[longest]) * 4 // 5] + "…"
    return message


def find_outcome(message: str, store: Callable[[], ObjectStore]) -> dict[str, Any] | SlipwayError | None:
    """The result or the error that a message holds; None: the job did not come to say anything.

    Raises:
        RejectedError: the result in the store is not the one that the pod wrote.
    """
    try:
        outcome = json.loads(message)
    except ValueError:
        return None
    if not isinstance(outcome, dict) or outcome.get(_MARK) != 1:
        return None
    if "error" in outcome:
        return SlipwayError.from_json(outcome["error"])
    return outcome["result"] if "result" in outcome else _stored(outcome["stored"], store())


def _message(**content: Any) -> bytes:
    return json.dumps({_MARK: 1, **content}, ensure_ascii=False, separators=(",", ":")).encode(
        errors="backslashreplace"
    )


def _stored(reference: dict[str, str], store: ObjectStore) -> dict[str, Any]:
    data = store.read(reference["key"])
    if sha256_hex(data) != reference["sha256"]:
        why = "its SHA-256 is not the one that the pod named: it changed after it was written"
        fix = "Find out who wrote to the store; then clear the task."
        raise RejectedError("could not use the pod's result", on=reference["key"], why=why, fix=fix)
    result: dict[str, Any] = json.loads(data)
    return result
