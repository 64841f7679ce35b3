"""API keys from an Airflow connection: its password is Slipway's own key, its extra may list hashes of other keys."""

from __future__ import annotations

import re

from slipway.access.api_keys import MIN_KEY_LENGTH, ApiKeys
from slipway.core.errors import AbsentError, ConfigurationError

_MAKE_ONE = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"


class ApiKeyHook:
    """Reads the connection `conn_id`, on `get_keys` only."""

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id

    def get_keys(self) -> ApiKeys:
        """The endpoint's keys.

        Raises:
            AbsentError: there is no such connection.
            ConfigurationError: it has no key, too short a key, or hashes that are none.
        """
        from airflow.sdk import BaseHook
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            connection = BaseHook.get_connection(self._conn_id)
        except AirflowNotFoundException as error:
            fix = (
                f"Add it with a password, made e.g. by {_MAKE_ONE}, or say `access: {{open: true}}` in the model file."
            )
            raise AbsentError(
                "could not read the API keys", on=f"connection {self._conn_id}", why="there is none", fix=fix
            ) from error
        own, others = connection.password or "", connection.extra_dejson.get("key_hashes", [])
        if len(own) < MIN_KEY_LENGTH:
            raise self._wrong(f"its password has {len(own)} characters, allowed: {MIN_KEY_LENGTH} or more", _MAKE_ONE)
        if not isinstance(others, list) or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", str(text)) for text in others):
            raise self._wrong("its extra key_hashes is no list of sha256:<64 hex digits>", "printf %s KEY | sha256sum")
        return ApiKeys.of(own, tuple(others))

    def _wrong(self, why: str, command: str) -> ConfigurationError:
        on = f"connection {self._conn_id}"
        return ConfigurationError(
            "could not use the API keys", on=on, why=why, fix=f"Correct it; made e.g. by {command}."
        )
