"""The API keys of one endpoint. A server only ever gets their SHA-256; the key itself stays in Airflow's connection."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

MIN_KEY_LENGTH = 24  # characters; 18 random bytes in base 64


@dataclass(frozen=True)
class ApiKeys:
    """Keys.

    Attributes:
        own: the one that Slipway asks with; never printed.
        hashes: ``sha256:<hex>`` of every key that the endpoint knows, sorted; `own` is among them.
    """

    own: str = field(repr=False)
    hashes: tuple[str, ...]

    @classmethod
    def of(cls, own: str, others: tuple[str, ...] = ()) -> ApiKeys:
        """From Slipway's key and the hashes of the others."""
        return cls(own, tuple(sorted({key_hash(own), *others})))


def key_hash(key: str) -> str:
    """``sha256:<hex>`` of a key, as the server knows it."""
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
