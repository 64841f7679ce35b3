"""What a Docker engine and its client say when something fails, as our errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from slipway.core.errors import AbsentError, ConflictError, DeniedError, SlipwayError, UnavailableError

_LONGEST = 300


@contextmanager
def translated(failed: str, on: str) -> Iterator[None]:
    """Run calls of the Docker SDK; `failed` and `on` say what is being done to what.

    Raises:
        DeniedError: the engine, its registry or its host says no.
        AbsentError: an image, container or network that is not there.
        ConflictError: another has changed it meanwhile.
        UnavailableError: no answer, no space, or an error inside the engine.
    """
    import docker.errors
    import paramiko
    import requests

    try:
        yield
    except paramiko.SSHException as error:
        raise _ssh_error(failed, on, error) from error
    except docker.errors.NotFound as error:
        fix = "Check the name; was it removed meanwhile?"
        raise AbsentError(failed, on=on, why=_text(error), fix=fix) from error
    except docker.errors.APIError as error:
        raise engine_error(failed, on, _text(error), error.status_code) from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise _unreachable(failed, on, error) from error


def engine_error(failed: str, on: str, why: str, status: int | None = None) -> SlipwayError:
    """The error of what an engine says, in an answer or in the middle of a stream."""
    said = why.lower()
    why = why[:_LONGEST]
    if "no space left" in said:
        fix = "Free some on the engine's disk (docker system df shows what takes it), then clear the task."
        return UnavailableError(failed, on=on, why=f"no space on the engine's disk: {why}", fix=fix)
    if any(word in said for word in ("unauthorized", "denied", "no basic auth", "authentication required")):
        fix = "Check the log-in in the registry's Airflow connection (image.conn_id), and what it may do."
        return DeniedError(failed, on=on, why=why, fix=fix)
    if any(word in said for word in ("manifest unknown", "not found", "no such image")):
        return AbsentError(failed, on=on, why=why, fix="Push it, or correct the name.")
    if status == 409:
        return ConflictError(failed, on=on, why=why, fix="Clear the task: it looks at the engine anew.")
    return UnavailableError(failed, on=on, why=why, fix="The engine's own log says more.")


def _ssh_error(failed: str, on: str, error: Exception) -> SlipwayError:
    import paramiko

    said = str(error)[:_LONGEST]
    if "not found in known_hosts" in said or isinstance(error, paramiko.BadHostKeyException):
        why = (
            "the host's key is not the one in known_hosts"
            if "match" in said
            else "the host's key is not in known_hosts"
        )
        fix = "Compare the key with its owner's, then add it to ~/.ssh/known_hosts of the worker's user (ssh-keyscan)."
        return DeniedError(failed, on=on, why=f"{why} ({said})", fix=fix)
    if isinstance(error, paramiko.AuthenticationException):
        fix = "Add the worker's public key to the host, for a user who may use Docker there."
        return DeniedError(failed, on=on, why=f"the host takes none of this user's SSH keys ({said})", fix=fix)
    return _unreachable(failed, on, error)


def _unreachable(failed: str, on: str, error: Exception) -> SlipwayError:
    said = str(error)[:_LONGEST]
    if "permission denied" in said.lower():
        fix = "Let the worker's user into the engine's group (docker), or name another engine in the connection."
        return DeniedError(failed, on=on, why=said, fix=fix)
    fix = "Is the engine running, and is the URL in its Airflow connection right?"
    return UnavailableError(failed, on=on, why=said, fix=fix)


def _text(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)[:_LONGEST]
