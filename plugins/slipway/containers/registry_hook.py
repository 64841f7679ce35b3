"""The registry behind an Airflow connection: its host is what image names begin with, and it has a login and a password."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from slipway.containers.hook import get_connection
from slipway.containers.registry import Registry
from slipway.containers.registry_login import Login
from slipway.containers.registry_session import RegistrySession
from slipway.containers.repository import Repository
from slipway.core.errors import ConfigurationError


def open_registry(repository: Repository, conn_id: str | None) -> Registry:
    """The registry of a repository; connects on first use.

    Args:
        repository: which one.
        conn_id: Airflow connection of the registry; None: anonymous. `insecure` in its extra means plain HTTP.

    Raises:
        AbsentError: there is no such connection.
        ConfigurationError: it is another registry's, or holds no password.
    """
    if conn_id is None:
        return Registry(RegistrySession(repository))
    connection = get_connection(conn_id, "the log-in of the registry")
    insecure = connection.extra_dejson.get("insecure") is True
    return Registry(RegistrySession(repository, _login(connection, repository.registry), insecure=insecure))


def registry_login(registry: str, conn_id: str | None) -> dict[str, str] | None:
    """The same log-in as a Docker engine wants to be told it (`auth_config`); None: anonymous. Raises as `open_registry`."""
    if conn_id is None:
        return None
    login = _login(get_connection(conn_id, "the log-in of the registry"), registry)
    return {"username": login.user, "password": login.password, "serveraddress": registry}


def _login(connection: Any, registry: str) -> Login:
    host = connection.host or ""
    named = urlsplit(host if "://" in host else f"//{host}").netloc.rpartition("@")[2]  # a password may stand before it
    named = f"{named}:{connection.port}" if connection.port and ":" not in named else named
    on = f"connection {connection.conn_id}"
    if named != registry:
        # A password must not be sent to whatever registry a model file names.
        why = f"its host is {named or 'empty'}, and the image's registry is {registry}"
        fix = "Name the connection of that registry in image.conn_id, or correct its host."
        raise ConfigurationError("could not log in to the registry", on=on, why=why, fix=fix)
    if not connection.login or not connection.password:
        fix = "Give it both, or leave image.conn_id out for a registry that asks for none."
        raise ConfigurationError("could not log in to the registry", on=on, why="it has no login or password", fix=fix)
    return Login(connection.login, connection.password)
