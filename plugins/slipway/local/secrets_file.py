"""The embedded profile's secrets and ports: made once, readable by their owner alone."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from slipway.local.layout import Layout


@dataclass(frozen=True)
class Secrets:
    """Keys that Airflow's parts share, the password of its user `admin`, and the API key of served models."""

    fernet_key: str
    jwt_secret: str
    api_secret: str
    admin_password: str
    api_key: str


@dataclass(frozen=True)
class Ports:
    """The loopback ports of the profile."""

    airflow: int
    cloud: int


def ensure_secrets(layout: Layout) -> Secrets:
    """Read the secrets, or make them at the first start."""
    path = layout.run / "secrets.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    found = Secrets(**{**asdict(_fresh()), **known})  # a profile of an earlier version gets what it has not
    if asdict(found) != known:
        _write_private(path, json.dumps(asdict(found)))
    if not layout.api_key.exists():
        _write_private(layout.api_key, found.api_key)
    if not layout.passwords.exists():
        _write_private(layout.passwords, json.dumps({"admin": found.admin_password}))
    return found


def _fresh() -> Secrets:
    return Secrets(
        fernet_key=base64.urlsafe_b64encode(os.urandom(32)).decode(),
        jwt_secret=secrets.token_urlsafe(64),
        api_secret=secrets.token_urlsafe(32),
        admin_password=secrets.token_urlsafe(12),
        api_key=secrets.token_urlsafe(32),
    )


def ensure_ports(layout: Layout, *, running: bool) -> Ports:
    """The ports of the last start if they can still be had, else the defaults, else free ones.

    Args:
        layout: the profile.
        running: whether parts of it run now; then its ports are taken, by itself.
    """
    path = layout.run / "ports.json"
    last = Ports(**json.loads(path.read_text())) if path.exists() else Ports(airflow=8080, cloud=5555)
    if running and path.exists():
        return last
    ports = Ports(airflow=_free(last.airflow), cloud=_free(last.cloud))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(ports)))
    return ports


def _free(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free loopback port")


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
    part.replace(path)
