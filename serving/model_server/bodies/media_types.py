"""Which media types are which form, and what an Accept header allows."""

from __future__ import annotations

from collections.abc import Sequence

from model_server.errors import UnacceptableError

FORMS = {
    "application/json": "json",
    "text/csv": "csv",
    "application/csv": "csv",
    "application/jsonlines": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/x-npy": "npy",
}


def choose(accept: str, offered: Sequence[str]) -> str:
    """The media type of `offered` that an Accept header likes best; the first one if it has no opinion (RFC 9110, 12.5.1).

    Raises:
        UnacceptableError: it allows none of them.
    """
    if not accept or accept == "*/*":
        return offered[0]
    ranges = [_parse(part) for part in accept.split(",")]
    best, best_quality = "", 0.0
    for media_type in offered:
        matching = [(specific, quality) for name, specific, quality in ranges if _matches(name, media_type)]
        quality = max(matching)[1] if matching else 0.0
        if quality > best_quality:
            best, best_quality = media_type, quality
    if not best:
        raise UnacceptableError(f"Accept {accept[:80]}, this server makes {', '.join(offered)}")
    return best


def _parse(part: str) -> tuple[str, int, float]:
    """Name, how specific it is, and its weight; a weight that is no number counts as 0."""
    name, *parameters = (piece.strip() for piece in part.split(";"))
    weights = [piece[2:] for piece in parameters if piece[:2].lower() == "q="]
    try:
        quality = float(weights[0]) if weights else 1.0
    except ValueError:
        quality = 0.0
    return name.lower(), 2 - name.count("*"), quality


def _matches(name: str, media_type: str) -> bool:
    return name in {"*/*", "*", media_type} or (name.endswith("/*") and media_type.startswith(name[:-1]))
