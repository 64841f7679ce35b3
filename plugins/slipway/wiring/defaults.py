"""What every task of every Slipway DAG has by default: who owns it, and which errors are worth another try."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from slipway.core.errors import (
    AbsentError,
    ConfigurationError,
    ConflictError,
    DeniedError,
    RejectedError,
    RolloutError,
    UnavailableError,
)

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[UnavailableError, ConflictError],
            action=RetryAction.RETRY,
            reason="it may answer differently next time",
        ),
        RetryRule(
            exception=[ConfigurationError, DeniedError, AbsentError, RejectedError, RolloutError],
            action=RetryAction.FAIL,
            reason="the same attempt would end the same way; the error says what to change",
        ),
    ]
)


def default_args(owner: str) -> dict[str, Any]:
    """Default arguments of a DAG's tasks; a killed or lost task is retried, and finds what it had done."""
    return {
        "owner": owner,
        "retries": 3,
        "retry_delay": timedelta(seconds=10),
        "retry_policy": RETRY_POLICY,
        "execution_timeout": timedelta(hours=24),
    }
