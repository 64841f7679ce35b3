"""Writes `.env` for docker-compose.yaml: `.env.example` with a new random value for every name that has none there."""

from __future__ import annotations

import base64
import os
import re
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Write it, readable by nobody else; one that exists is never touched."""
    path = ROOT / ".env"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stdout.write(f"{path} exists and was left alone; new names in .env.example are yours to add\n")
        return 0
    with os.fdopen(descriptor, "w") as stream:
        stream.write(with_secrets((ROOT / ".env.example").read_text()))
    sys.stdout.write(f"wrote {path}: docker compose up -d, then log in as admin with its ADMIN_PASSWORD\n")
    return 0


def with_secrets(example: str) -> str:
    """The example, with a secret after every `NAME=` that is followed by nothing."""
    return re.sub(r"^([A-Z][A-Z_]*)=$", lambda line: f"{line[1]}={_secret(line[1])}", example, flags=re.MULTILINE)


def _secret(name: str) -> str:
    if name == "FERNET_KEY":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32)  # letters and digits: it goes into URLs, and a person may have to type it


if __name__ == "__main__":
    sys.exit(main())
