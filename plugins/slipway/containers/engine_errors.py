"""What a Docker engine, its client and SSH say when something fails, as our errors."""

from __future__ import annotations

import re

from slipway.containers.engine_address import EngineAddress
from slipway.core.errors import (
    AbsentError,
    ConfigurationError,
    ConflictError,
    DeniedError,
    SlipwayError,
    UnavailableError,
)

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
        "Give image.conn_id a connection whose login may do that, and check the repository's name.",
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


def translate(error: Exception, failed: str, on: str, address: EngineAddress) -> SlipwayError | None:
    """Our error for one of docker's client, requests or paramiko; None: it is none of theirs."""
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
