"""The command that starts the model server on a bundle."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from slipway.core.identity import sha256_hex
from slipway.rollout.served import ServerAccess

# What a program needs to find its files, to speak the machine's language and to use its processors. A list of what is let
# through, as nobody can list all names of secrets: a task's environment has Airflow's connections and keys, the database's
# password, a cloud's credentials. Everything that the server itself is told is in its command.
_PASSED_ON = re.compile(
    r"(PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|LD_LIBRARY_PATH|PYTHON\w+|SSL_CERT_\w+"
    r"|(OMP|OPENBLAS|MKL|KMP|ORT|ARROW|MALLOC)_\w+)"
)


def server_command(bundle: Path, digest: str, access: ServerAccess | None, folder: Path) -> list[str]:
    """The command; two are equal exactly if their servers answer alike. The hashes go into a file below `folder`."""
    command = [sys.executable, "-m", "model_server", "--bundle", str(bundle), "--digest", digest]
    if access is None:
        return [*command, "--open"]
    command += ["--key-hashes", str(_ensure_key_file(access.key_hashes, folder))]
    if access.requests_per_second:
        command += ["--requests-per-second", f"{access.requests_per_second:g}", "--burst", str(access.burst)]
    return command


def server_environment(callers: Mapping[str, str]) -> dict[str, str]:
    """What of the caller's environment the supervisor and its servers get: no secret, as strangers talk to a server."""
    return {name: value for name, value in callers.items() if _PASSED_ON.fullmatch(name)}


def _ensure_key_file(hashes: tuple[str, ...], folder: Path) -> Path:
    """Named after its content, so that other keys make another command, and a new server takes over."""
    text = "\n".join(hashes) + "\n"
    path = folder / f"key-hashes-{sha256_hex(text.encode())[:12]}"
    if not path.exists():
        part = path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(text)
        part.replace(path)
    return path
