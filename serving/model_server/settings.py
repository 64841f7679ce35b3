"""What one server process is told at start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where the bundle is, what its digest must be, and the limits of a request.

    Attributes:
        bundle: the bundle's folder.
        digest: ``sha256:<hex>`` of its manifest.json; comes from whoever deploys, never from the folder itself.
        max_body_bytes: a larger request body is answered with 413.
        max_rows: more rows in one request are answered with 422.
    """

    bundle: Path
    digest: str
    max_body_bytes: int = 16 * 1024 * 1024
    max_rows: int = 100_000
