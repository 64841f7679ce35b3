"""Docker engines and registries from Airflow connections of type `docker`.

A connection names either a registry (host: what image names begin with; login and password) or an engine (host: its URL,
``unix:///var/run/docker.sock``, ``ssh://deploy@host`` or ``tcp://host:2376`` with TLS files in its extra).
"""

from __future__ import annotations

from typing import Any

from slipway.containers.registry import Registry
from slipway.containers.registry_login import Login
from slipway.containers.registry_session import RegistrySession
from slipway.containers.repository import Repository
from slipway.core.errors import AbsentError, ConfigurationError

ENGINE_SCHEMES = ("unix://", "ssh://", "tcp://", "http://", "https://")


def open_registry(repository: Repository, conn_id: str | None) -> Registry:
    """The registry of a repository; connects on first use.

    Args:
        repository: which one.
        conn_id: Airflow connection of the registry; None: anonymous.

    Raises:
        AbsentError: there is no such connection.
        ConfigurationError: it is another registry's, or holds no password.
    """
    if conn_id is None:
        return Registry(RegistrySession(repository))
    connection = _connection(conn_id)
    insecure = connection.extra_dejson.get("insecure") is True
    return Registry(RegistrySession(repository, _login(connection, repository), insecure=insecure))


def registry_login(repository: Repository, conn_id: str | None) -> dict[str, str] | None:
    """The same log-in as a Docker engine wants to be told it (`auth_config`); None: anonymous. Raises as `open_registry`."""
    if conn_id is None:
        return None
    login = _login(_connection(conn_id), repository)
    return {"username": login.user, "password": login.password, "serveraddress": repository.registry}


def _login(connection: Any, repository: Repository) -> Login:
    host = (connection.host or "").partition("://")[2] or connection.host or ""
    host = f"{host}:{connection.port}" if connection.port and ":" not in host else host
    on = f"connection {connection.conn_id}"
    if host.partition("/")[0] != repository.registry:
        # A password must not be sent to whatever registry a model file names.
        why, fix = f"its host is {host!r}, the image's registry is {repository.registry!r}", "Correct one of the two."
        raise ConfigurationError("could not log in to the registry", on=on, why=why, fix=fix)
    if not connection.login or not connection.password:
        fix = "Give it both, or leave image.conn_id out for a registry that asks for none."
        raise ConfigurationError("could not log in to the registry", on=on, why="it has no login or password", fix=fix)
    return Login(connection.login, connection.password)


def engine_client(conn_id: str, *, timeout_seconds: int = 120) -> Any:
    """A client (`docker.APIClient`) of the engine that a connection names, which answered.

    Raises:
        AbsentError: there is no such connection.
        ConfigurationError: its host is no engine's URL.
        DeniedError, UnavailableError: see `engine_errors.translated`.
    """
    import docker
    from airflow.providers.docker.hooks.docker import DockerHook

    from slipway.containers.engine_errors import translated

    connection = _connection(conn_id)
    url = engine_url(connection)
    extra = connection.extra_dejson
    tls = DockerHook.construct_tls_config(
        ca_cert=extra.get("tls_ca_cert"),
        client_cert=extra.get("tls_client_cert"),
        client_key=extra.get("tls_client_key"),
    )
    with translated("could not reach the Docker engine", url):
        # Not the hook's own client: when it gets none, it logs the reason and raises an error without it.
        return docker.APIClient(base_url=url, version="auto", tls=tls, timeout=timeout_seconds)


def engine_url(connection: Any) -> str:
    """The URL in a connection. Raises ConfigurationError."""
    host = connection.host or ""
    if not host.startswith(ENGINE_SCHEMES):
        raise ConfigurationError(
            "could not reach the Docker engine",
            on=f"connection {connection.conn_id}",
            why=f"its host is {host!r}, allowed: unix:///var/run/docker.sock, ssh://user@host, tcp://host:2376",
            fix="Correct the connection's host.",
        )
    return f"{host}:{connection.port}" if connection.port and host.count(":") == 1 else host


def _connection(conn_id: str) -> Any:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        example = '{"conn_type": "docker", "host": "unix:///var/run/docker.sock"}'
        fix = f"Define it; for an engine {example}, for a registry its host, login and password."
        raise AbsentError("could not find the connection", on=conn_id, why="there is none", fix=fix) from error
