"""The Docker engine behind an Airflow connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from slipway.containers.engine_address import EngineAddress, engine_address
from slipway.containers.engine_errors import translate
from slipway.containers.hook import get_connection
from slipway.core.errors import SlipwayError

_TIMEOUT_SECONDS = 120


class DockerEngineHook:
    """Connects to the engine that the Airflow connection `conn_id` names, on first use of `client` only.

    The connection's type is ``docker``, its host an address like ``unix:///var/run/docker.sock``,
    ``ssh://deploy@10.0.0.5`` or ``tcp://10.0.0.5:2376``. For ``ssh`` the host's key must be in ``~/.ssh/known_hosts`` of
    Airflow's user, and the key to log in with where OpenSSH would look for it; for ``tcp`` the extra names the files
    ``ca_cert``, ``client_cert`` and ``client_key``.
    """

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id

    @cached_property
    def address(self) -> EngineAddress:
        """Where the engine is.

        Raises:
            AbsentError: there is no such connection.
            ConfigurationError: it has no address that we know.
        """
        connection = get_connection(self._conn_id, "the Docker engine")
        return engine_address(
            self._conn_id, connection.host, connection.login, connection.port, connection.extra_dejson
        )

    @cached_property
    def client(self) -> Any:
        """docker's APIClient.

        Raises:
            UnavailableError: the engine does not answer.
            DeniedError: the host refuses our log-in, or is not the one that we know.
            AbsentError, ConfigurationError: see `address`.
        """
        address = self.address
        with self.translated("could not reach the Docker engine", address.url):
            return self._connect(address)

    @contextmanager
    def translated(self, failed: str, on: str) -> Iterator[None]:
        """Errors of docker's client within become ours; `failed` and `on` say what was done to what."""
        try:
            yield
        except SlipwayError:
            raise
        except Exception as error:
            translated = translate(error, failed, on, self.address)
            if translated is None:
                raise
            raise translated from error

    def _connect(self, address: EngineAddress) -> Any:
        from airflow.providers.docker.hooks.docker import DockerHook
        from airflow.sdk.exceptions import AirflowException
        from docker import APIClient

        tls = DockerHook.construct_tls_config(*address.tls_files) if address.tls_files else None
        hook = DockerHook(docker_conn_id=None, base_url=address.url, tls=tls or None, timeout=_TIMEOUT_SECONDS)
        try:
            return hook.api_client
        except AirflowException:
            # The hook logs why and raises without it; asking the same again tells, or works by now.
            url = address.url.replace("tcp://", "https://") if tls else address.url
            return APIClient(base_url=url, tls=tls or False, timeout=_TIMEOUT_SECONDS)
