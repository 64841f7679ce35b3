"""Airflow reads this by its name: which tasks run in the container `serving`, and which on any worker."""

from __future__ import annotations

from typing import Any

# `deploy: process` means the machine of the worker, and its endpoint is on loopback: rollout, undo and verification meet in
# the one container that serves.
AT_THE_ENDPOINT = {"RollOutProcessOperator", "RestoreProcessOperator", "VerifyEndpointOperator"}


def task_policy(task: Any) -> None:
    """Send the tasks that touch an endpoint to its queue."""
    if task.task_type in AT_THE_ENDPOINT:
        task.queue = "serving"
