"""Where a Docker engine is: the address that an Airflow connection holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from slipway.core.errors import ConfigurationError

_FORMS = "unix:///var/run/docker.sock, ssh://<user>@<host>[:port] or tcp://<host>:2376 with the TLS files in its extra"
_TLS_FILES = ("ca_cert", "client_cert", "client_key")


@dataclass(frozen=True)
class EngineAddress:
    """An engine.

    Attributes:
        url: ``unix://..``, ``ssh://..`` or ``tcp://..``.
        tls_files: paths of the authority's certificate, ours, and our key; only for ``tcp``.
    """

    url: str
    tls_files: tuple[str, str, str] | None = None

    @property
    def host(self) -> str:
        """Where the ports that the engine publishes are found: this machine for a local engine."""
        return urlsplit(self.url).hostname or "127.0.0.1"

    @property
    def ssh_arguments(self) -> str:
        """What a person gives to `ssh` to come to the same place."""
        parts = urlsplit(self.url)
        port = f"-p {parts.port} " if parts.port else ""
        return f"{port}{parts.username}@{parts.hostname}" if parts.username else f"{port}{parts.hostname}"

    @property
    def keyscan_arguments(self) -> str:
        """What a person gives to `ssh-keyscan`."""
        parts = urlsplit(self.url)
        return f"-p {parts.port} {parts.hostname}" if parts.port else f"{parts.hostname}"


def engine_address(
    conn_id: str, host: str | None, login: str | None, port: int | None, extra: Mapping[str, Any]
) -> EngineAddress:
    """The address from the fields of a connection; login and port count where `host` does not say them.

    Raises:
        ConfigurationError: it is none that we know, holds a password, or is a TCP port that anybody could use.
    """
    try:
        parts = urlsplit(host or "")
        found_port = parts.port
    except ValueError as error:
        raise _wrong(conn_id, f"its host is no address: {error}") from error
    if parts.password:
        raise _wrong(conn_id, "its host holds a password, which would be shown in logs; SSH logs in with a key")
    if parts.scheme == "unix" and parts.path and not parts.netloc:
        return EngineAddress(f"unix://{parts.path}")
    if parts.scheme not in {"ssh", "tcp"} or not parts.hostname or parts.path.strip("/"):
        raise _wrong(conn_id, f"its host is {host or 'empty'}")
    user = parts.username or (login if parts.scheme == "ssh" else None)
    wanted_port = found_port or port
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = f"{f'{user}@' if user else ''}{name}{f':{wanted_port}' if wanted_port else ''}"
    if parts.scheme == "ssh":
        return EngineAddress(f"ssh://{where}")
    files = [str(extra.get(key) or "") for key in _TLS_FILES]
    if not all(files):
        why = f"its extra lacks {', '.join(_TLS_FILES)}; without TLS whoever reaches that port is root on the host"
        raise _wrong(conn_id, why)
    return EngineAddress(f"tcp://{where}", (files[0], files[1], files[2]))


def _wrong(conn_id: str, why: str) -> ConfigurationError:
    on = f"connection {conn_id}"
    return ConfigurationError("could not use the Docker engine", on=on, why=why, fix=f"Allowed are {_FORMS}.")
