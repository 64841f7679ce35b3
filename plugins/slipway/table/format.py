"""Which format a file name stands for; the only place that knows the supported suffixes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from slipway.core.errors import ConfigurationError

Kind = Literal["csv", "parquet", "jsonl"]


@dataclass(frozen=True)
class TableFormat:
    """A file format; `suffix` is the canonical one, with the leading dot."""

    kind: Kind
    suffix: str

    @property
    def is_gzipped(self) -> bool:
        """Whether the bytes are gzip."""
        return self.suffix.endswith(".gz")


_FORMATS = {
    ".csv": TableFormat("csv", ".csv"),
    ".csv.gz": TableFormat("csv", ".csv.gz"),
    ".parquet": TableFormat("parquet", ".parquet"),
    ".jsonl": TableFormat("jsonl", ".jsonl"),
    ".jsonl.gz": TableFormat("jsonl", ".jsonl.gz"),
    ".ndjson": TableFormat("jsonl", ".jsonl"),
    ".ndjson.gz": TableFormat("jsonl", ".jsonl.gz"),
}
SUPPORTED = ", ".join(_FORMATS)


def get_format(name: str) -> TableFormat:
    """The format of a file by its name or URI, upper or lower case; a URI's query is ignored.

    Raises:
        ConfigurationError: the name ends in none of the supported suffixes.
    """
    bare = name.split("?", 1)[0].lower() if name.startswith(("http://", "https://")) else name.lower()
    for suffix, found in _FORMATS.items():
        if bare.endswith(suffix):
            return found
    raise ConfigurationError(
        "could not tell the format of the dataset",
        on=name.split("?", 1)[0],
        why=f"its name ends in none of {SUPPORTED}",
        fix="Point dataset.uri at a file of one of these formats, named so.",
    )
