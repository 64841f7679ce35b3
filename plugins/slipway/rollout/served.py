"""What every target is told to serve: a version by its digests, and who may ask for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from slipway.core.errors import ConfigurationError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IMAGE = re.compile(r"[a-z0-9.:-]+(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class ServerAccess:
    """Who may ask a server, and how often.

    Attributes:
        key_hashes: ``sha256:<hex>`` of the API keys.
        requests_per_second: per key; 0: no limit.
        burst: requests that may come at once.
    """

    key_hashes: tuple[str, ...]
    requests_per_second: float
    burst: int


def check_image(image: str, digest: str) -> None:
    """Raises ConfigurationError: the image is not named by its digest, or the bundle's digest is none."""
    check("image", image, bool(_IMAGE.fullmatch(image)))
    check("bundle digest", digest, bool(_DIGEST.fullmatch(digest)))


def check(what: str, value: object, good: bool) -> None:
    """Raises ConfigurationError unless `good`: the value is no such thing."""
    if not good:
        raise ConfigurationError(
            "could not roll out",
            on=f"{what} {value!r}",
            why=f"it is no {what}",
            fix="An image is <registry>/<path>@sha256:<64 hex digits>; a digest is sha256:<64 hex digits>.",
        )
