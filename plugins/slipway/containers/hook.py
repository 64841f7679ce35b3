"""Airflow connections of type `docker`: one names either a Docker engine or a registry, by its host."""

from __future__ import annotations

from typing import Any

from slipway.core.errors import AbsentError


def get_connection(conn_id: str, what: str) -> Any:
    """The connection; `what` is what it would be read for. Raises AbsentError: there is none."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise AbsentError(
            f"could not read {what}",
            on=f"connection {conn_id}",
            why="there is none",
            fix='Add one of type docker, e.g. {"conn_type": "docker", "host": "unix:///var/run/docker.sock"}.',
        ) from error
