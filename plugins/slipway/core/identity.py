"""Identity: everything is addressed by what it is, so the same inputs find the same object again."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any


def sha256_hex(data: bytes) -> str:
    """The SHA-256 of some bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: Any) -> bytes:
    """JSON with one spelling per value: sorted keys, no spaces, UTF-8. Raises TypeError on what JSON lacks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def content_id(value: Any) -> str:
    """The id of a JSON value: SHA-256 of its canonical form."""
    return sha256_hex(canonical_json(value))


def short(digest: str) -> str:
    """The first twelve hex digits, for people; ``sha256:`` in front is left out."""
    return digest.removeprefix("sha256:")[:12]


def object_name(text: str) -> str:
    """`text` as one safe path segment, still readable and still unique.

    A run id such as ``scheduled__2013-01-05T00:00:00+00:00`` holds characters that stores and shells treat
    differently, so they become ``-`` and a few digits of the whole text's digest keep two texts apart.
    """
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', text)[:80].strip('-')}-{sha256_hex(text.encode())[:8]}"
