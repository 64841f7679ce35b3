"""Runs a task as Airflow does, without Airflow: what it defers to is waited for, and it goes on with what that fired."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferred


def perform(operator: BaseOperator) -> Any:
    """The task's result; its errors are raised."""
    method, arguments = operator.execute, dict[str, Any]()
    while True:
        try:
            return method({}, **arguments)  # type: ignore[arg-type]
        except TaskDeferred as deferred:
            arguments = {**(deferred.kwargs or {}), "event": asyncio.run(_first_event(deferred.trigger))}
            method = getattr(operator, deferred.method_name)


async def _first_event(trigger: Any) -> Any:
    """From a trigger that was made anew from what Airflow's database would hold of it."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    events = getattr(importlib.import_module(module), name)(**arguments).run()
    try:
        return (await anext(events)).payload
    finally:
        await events.aclose()
