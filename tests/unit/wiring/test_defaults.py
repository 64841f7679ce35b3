"""Which errors a task is run again for."""

from __future__ import annotations

import pytest
from airflow.sdk import RetryAction

from slipway.core import errors
from slipway.wiring.defaults import RETRY_POLICY, default_args

RETRIED = {"ConflictError", "UnavailableError"}
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SlipwayError)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not errors.SlipwayError])
def test_every_error_of_ours_says_whether_it_is_worth_another_try(kind: type[errors.SlipwayError]) -> None:
    actions = {rule.action for rule in RETRY_POLICY.rules if kind in rule.exception}
    assert actions == {RetryAction.RETRY if kind.__name__ in RETRIED else RetryAction.FAIL}


def test_a_task_has_its_owner_and_a_deadline() -> None:
    found = default_args("analytics")
    assert (found["owner"], found["retries"]) == ("analytics", 3)
    assert found["execution_timeout"].total_seconds() > 0
