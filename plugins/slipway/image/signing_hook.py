"""The signing key from an Airflow connection: its password is the private key, in PEM, or its extra has the keys.

The extra may hold `private_key` (instead of the password), `passphrase` and `public_key`. Where images are only verified, the
public key alone is enough, and safer.
"""

from __future__ import annotations

from typing import Any

from slipway.core.errors import AbsentError, ConfigurationError
from slipway.image.keys import (
    MAKE_PRIVATE,
    MAKE_PUBLIC,
    SigningKey,
    VerifyingKey,
    load_signing_key,
    load_verifying_key,
)


class SigningHook:
    """Reads the connection `conn_id`, in the named methods only; no key shows in what it raises."""

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._on = f"connection {conn_id}"

    def get_signing_key(self) -> SigningKey:
        """The private key.

        Raises:
            AbsentError: there is no such connection.
            ConfigurationError: it has no private key, one that cannot be used, or a public key that is not its other half.
        """
        password, extra = self._read()
        key = self._private(password, extra)
        if key is None:
            where = "neither its password nor its extra private_key holds a private key"
            raise self._incomplete(where, f"One is made by: {MAKE_PRIVATE}")
        public = extra.get("public_key")
        if public and load_verifying_key(str(public), on=self._on).key_id != key.public.key_id:
            raise self._incomplete("its public_key is not that of its private key", f"It is made by: {MAKE_PUBLIC}")
        return key

    def get_verifying_key(self) -> VerifyingKey:
        """The public key; of the private one where the connection has no other.

        Raises:
            AbsentError: there is no such connection.
            ConfigurationError: it has neither, or one that cannot be used.
        """
        password, extra = self._read()
        if extra.get("public_key"):
            return load_verifying_key(str(extra["public_key"]), on=self._on)
        key = self._private(password, extra)
        if key is None:
            where = "its extra has no public_key, and there is no private key to take it from"
            raise self._incomplete(where, f"Keys are made by: {MAKE_PRIVATE} && {MAKE_PUBLIC}")
        return key.public

    def _private(self, password: str, extra: dict[str, Any]) -> SigningKey | None:
        pem = password or str(extra.get("private_key") or "")
        if not pem:
            return None
        passphrase = extra.get("passphrase")
        return load_signing_key(pem, str(passphrase) if passphrase else None, on=self._on)

    def _read(self) -> tuple[str, dict[str, Any]]:
        from airflow.sdk import BaseHook
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            connection = BaseHook.get_connection(self._conn_id)
        except AirflowNotFoundException as error:
            fix = f"Add it with a private key as password, made by: {MAKE_PRIVATE}"
            raise AbsentError("could not read the signing key", on=self._on, why="there is none", fix=fix) from error
        return connection.password or "", connection.extra_dejson

    def _incomplete(self, why: str, fix: str) -> ConfigurationError:
        return ConfigurationError("could not use the signing key", on=self._on, why=why, fix=fix)
