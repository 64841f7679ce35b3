"""What has to be in place before the parts start. It runs at every `up`, and does only what is missing or has changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

LOG_INS = Path("/opt/airflow/registry/htpasswd")


def main() -> None:
    """All of it, in the order in which the parts need it."""
    subprocess.run(["airflow", "db", "migrate"], check=True)  # noqa: S607  the image has one
    ensure_admin(os.environ["ADMIN_PASSWORD"])
    ensure_log_in(LOG_INS, "slipway", os.environ["REGISTRY_PASSWORD"])


def ensure_admin(password: str) -> None:
    """The user `admin` of Airflow, with this password from now on.

    Nothing is written while it is this one already: to set a password ends all sessions of its user.
    """
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from werkzeug.security import check_password_hash

    with get_application_builder() as builder:
        user = builder.sm.find_user("admin")
        if user and user.password and check_password_hash(user.password, password):
            return
        if user:
            done = builder.sm.reset_password(user.id, password)
        else:
            role = builder.sm.find_role("Admin")
            done = builder.sm.add_user("admin", "Admin", "of Slipway", "admin@example.com", role, password)
        if not done:
            raise SystemExit(
                "could not set the password of the user admin: Airflow's log-in refused it, see the lines above"
            )


def ensure_log_in(path: Path, user: str, password: str) -> None:
    """The registry's only log-in; the file is left alone while its password is this one."""
    import bcrypt

    found = path.read_text().strip() if path.exists() else ""
    if found.startswith(f"{user}:") and bcrypt.checkpw(password.encode(), found.partition(":")[2].encode()):
        return
    part = path.with_suffix(".part")
    part.write_text(f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode()}\n")
    part.replace(path)


if __name__ == "__main__":
    main()
