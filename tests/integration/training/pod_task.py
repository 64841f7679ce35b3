"""A task that runs operators as Airflow would: execute, defer to the trigger, resume in a new process with the event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.sdk.exceptions import TaskDeferred


class Kept(dict[str, Any]):
    """What a task keeps from one attempt to the next, as Airflow's task state store does."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


class Task:
    """One task instance; `make` makes its operator anew, as each process does."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make
        self.try_number = 1
        self.xcom: dict[str, Any] = {}
        self.kept = Kept()

    def context(self) -> Any:
        ti = SimpleNamespace(
            dag_id="deliver_m",
            task_id="train_model",
            run_id="scheduled__2026-01-01T00:00:00+00:00",
            map_index=-1,
            try_number=self.try_number,
            start_date=datetime.now(UTC),
            xcom_push=self._push,
        )
        return {"ti": ti, "run_id": ti.run_id, "dag": SimpleNamespace(), "task_state_store": self.kept}

    def start(self) -> TaskDeferred:
        """The first process, up to where it hands over to the triggerer."""
        try:
            self.make().execute(self.context())
        except TaskDeferred as deferred:
            return deferred
        raise AssertionError("the task did not wait")

    def resume(self, deferred: TaskDeferred) -> Any:
        """The triggerer's wait, and the second process."""
        _, kwargs = deferred.trigger.serialize()
        assert "a-token-that-nobody-may-see" not in repr(kwargs)
        event = asyncio.run(_first_event(type(deferred.trigger)(**kwargs)))
        getattr(self.make(), deferred.method_name)(self.context(), event)
        return self.xcom["return_value"]

    def run(self) -> Any:
        return self.resume(self.start())

    def _push(self, key: str, value: Any) -> None:
        self.xcom[key] = value


async def _first_event(trigger: Any) -> Any:
    return (await anext(trigger.run())).payload
