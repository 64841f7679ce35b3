"""Who may ask: API keys, known by their SHA-256 alone.

A key is 32 random bytes or more, so a plain hash is enough: there is nothing to guess that a slow hash would slow down.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Any

from model_server.errors import SettingsError

_HASH = re.compile(r"^sha256:[0-9a-f]{64}$")


class ApiKeys:
    """The keys of an endpoint.

    Args:
        hashes: ``sha256:<hex>`` of each key.

    Raises:
        SettingsError: one of them is no such hash, or there is none.
    """

    def __init__(self, hashes: Iterable[str]) -> None:
        self._hashes = [text.strip() for text in hashes]
        if not self._hashes:
            raise SettingsError("no API key is known: give hashes of keys, or say that the endpoint is open")
        for number, text in enumerate(self._hashes, start=1):
            if not _HASH.match(text):
                raise SettingsError(f"API key hash {number}: allowed: sha256: and 64 hex digits (never the key itself)")
        self._encoded = [text.encode() for text in self._hashes]

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, environ: dict[str, Any]) -> int | None:
        """The place of the key that a request carries, or None. Takes equally long for every key, known or not."""
        presented = _presented(environ)
        if presented is None:
            return None
        digest = f"sha256:{hashlib.sha256(presented).hexdigest()}".encode()
        found = None
        for place, known in enumerate(self._encoded):
            if hmac.compare_digest(digest, known):
                found = place
        return found

    def name(self, place: int) -> str:
        """The key's name in logs: enough of its hash to tell it from the others."""
        return self._hashes[place][7:15]


def _presented(environ: dict[str, Any]) -> bytes | None:
    """The key in `Authorization: Bearer`, `X-API-Key`, or as the password of `Authorization: Basic` (browsers)."""
    if key := environ.get("HTTP_X_API_KEY"):
        return str(key).encode("latin-1")
    scheme, _, rest = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode("latin-1")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except ValueError:  # binascii.Error, or letters beyond ASCII
        return None
