"""The Docker engine behind an Airflow connection, and what its client's errors mean to us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from slipway.core.errors import (
    AbsentError,
    ConfigurationError,
    ConflictError,
    DeniedError,
    SlipwayError,
    UnavailableError,
)
from slipway.rollout.engine_address import EngineAddress, engine_address

_TIMEOUT_SECONDS = 120
_SHOWN = 400  # characters of the engine's own words

# What the engine says, whatever the status it says it with: the class of error, and what the reader should do.
_SAYINGS: tuple[tuple[str, type[SlipwayError], str], ...] = (
    (
        r"no space left on device|disk quota exceeded",
        UnavailableError,
        "Free space on that host (`docker system df` shows what uses it), then clear this task.",
    ),
    (
        r"port is already allocated|address already in use",
        ConflictError,
        "Choose another port in the model file, or end what uses it.",
    ),
    (
        r"has active endpoints",
        ConflictError,
        "Disconnect the other containers from that network (`docker network inspect` names them), then clear this task.",
    ),
    (
        r"denied|unauthorized|authentication required|no basic auth credentials|forbidden",
        DeniedError,
        "Give image.conn_id a connection whose login may read that repository, and check the repository's name.",
    ),
    (
        r"manifest unknown|not found|no such image|does not exist",
        AbsentError,
        "Check that it exists there; an image that was deleted is built and pushed again by a new run.",
    ),
    (
        r"server misbehaving|no such host|connection refused|i/o timeout|TLS handshake|x509",
        UnavailableError,
        "Check name, network and firewall between that engine and the registry.",
    ),
)
_STATUS: dict[int, tuple[type[SlipwayError], str]] = {
    400: (ConfigurationError, "Correct what it names in the model file."),
    401: (DeniedError, "Give the connection a login that may do this."),
    403: (DeniedError, "Give the connection a login that may do this."),
    404: (AbsentError, "Somebody may have removed it meanwhile; clear this task to make it again."),
    409: (ConflictError, "Clear this task when that is over."),
}


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
        connection = _connection(self._conn_id, "the Docker engine")
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
            translated = _translate(error, failed, on, self.address)
            if translated is None:
                raise
            raise translated from error

    def registry_login(self, conn_id: str | None, image: str) -> dict[str, str] | None:
        """What the engine logs in with to pull `image`; None: with nothing.

        Raises:
            AbsentError: there is no such connection.
            ConfigurationError: it is another registry's, which must not get to see the password of this one.
        """
        if conn_id is None:
            return None
        connection = _connection(conn_id, "the log-in of the registry")
        named = urlsplit(connection.host if "://" in (connection.host or "") else f"//{connection.host or ''}").netloc
        registry = f"{named}:{connection.port}" if connection.port and ":" not in named else named
        wanted = image.partition("/")[0]
        if registry != wanted:
            raise ConfigurationError(
                "could not log in to the registry",
                on=f"connection {conn_id}",
                why=f"its host is {registry or 'empty'}, and the image comes from {wanted}",
                fix="Name the connection of that registry in image.conn_id, or correct its host.",
            )
        return {"username": connection.login or "", "password": connection.password or ""}

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


def _connection(conn_id: str, what: str) -> Any:
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


def _translate(error: Exception, failed: str, on: str, address: EngineAddress) -> SlipwayError | None:
    from docker.errors import APIError, DockerException
    from paramiko.ssh_exception import SSHException
    from requests.exceptions import RequestException

    if isinstance(error, APIError):
        return translate_saying(str(error.explanation or error), failed, on, error.status_code)
    if isinstance(error, SSHException):
        return _translate_ssh(error, failed, on, address)
    if isinstance(error, DockerException | RequestException | OSError):
        why, fix = _shown(str(error)), "Check that it runs (`docker version` there), and that this user may use it."
        if address.url.startswith("ssh:"):
            fix = f"Check that `ssh {address.ssh_arguments} docker version` answers for Airflow's user."
        return UnavailableError(failed, on=on, why=why, fix=fix)
    return None


def translate_saying(saying: str, failed: str, on: str, status: int | None = None) -> SlipwayError:
    """Our error for what the engine said; `status` is HTTP's, None in the middle of a pull's progress."""
    for pattern, kind, fix in _SAYINGS:
        if re.search(pattern, saying, re.IGNORECASE):
            return kind(failed, on=on, why=_shown(saying), fix=fix)
    kind, fix = _STATUS.get(
        status or 0, (UnavailableError, "Read the engine's log on that host, then clear this task.")
    )
    return kind(failed, on=on, why=_shown(saying), fix=fix)


def _translate_ssh(error: Exception, failed: str, on: str, address: EngineAddress) -> SlipwayError:
    from paramiko.ssh_exception import AuthenticationException, BadHostKeyException

    if isinstance(error, BadHostKeyException):
        why = "the host's SSH key is not the one in known_hosts: it was set up anew, or somebody is in between"
        fix = "Ask who runs the host; only if the key is right, replace the line in known_hosts."
    elif "not found in known_hosts" in str(error):
        why = "the host's SSH key is unknown"
        fix = f"Compare it with the host's own, then add it: `ssh-keyscan {address.keyscan_arguments} >> ~/.ssh/known_hosts`."
    elif isinstance(error, AuthenticationException) or "authentication" in str(error).lower():
        why = f"SSH denied the log-in: {_shown(str(error))}"
        fix = (
            "Put this user's public key into authorized_keys of that account; "
            f"`ssh {address.ssh_arguments} docker version` must answer without a password."
        )
    else:
        fix = f"Check that `ssh {address.ssh_arguments} docker version` answers for Airflow's user."
        return UnavailableError(failed, on=on, why=f"SSH: {_shown(str(error))}", fix=fix)
    return DeniedError(failed, on=on, why=why, fix=fix)


def _shown(text: str) -> str:
    """One line, cut short."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[:_SHOWN]}..."
