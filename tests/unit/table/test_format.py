from __future__ import annotations

import pytest

from slipway.core.errors import ConfigurationError
from slipway.table.format import get_format


@pytest.mark.parametrize(
    ("name", "kind", "suffix"),
    [
        ("a.csv", "csv", ".csv"),
        ("s3://inbox/2013-01-01.CSV.GZ", "csv", ".csv.gz"),
        ("a.parquet", "parquet", ".parquet"),
        ("a.ndjson", "jsonl", ".jsonl"),
        ("a.jsonl.gz", "jsonl", ".jsonl.gz"),
        ("https://example.com/a.csv?token=x.parquet", "csv", ".csv"),
    ],
)
def test_a_name_tells_the_format(name: str, kind: str, suffix: str) -> None:
    found = get_format(name)
    assert (found.kind, found.suffix, found.is_gzipped) == (kind, suffix, suffix.endswith(".gz"))


def test_another_suffix_is_refused_with_the_list_of_supported_ones() -> None:
    with pytest.raises(
        ConfigurationError, match=r"s3://inbox/a\.xlsx: its name ends in none of \.csv, \.csv\.gz, \.parquet"
    ):
        get_format("s3://inbox/a.xlsx")
