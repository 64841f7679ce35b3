"""Tells schemathesis, which imports this by SCHEMATHESIS_HOOKS, what a valid body is where the media type says more than the
schema can: the first golden rows of the bundle in the folder SLIPWAY_TEST_BUNDLE.
"""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import schemathesis
from hypothesis import strategies

BUNDLE = Path(os.environ["SLIPWAY_TEST_BUNDLE"])
FEATURES = json.loads((BUNDLE / "metadata.json").read_text())["features"]
ROWS = json.loads((BUNDLE / "golden.json").read_text())["rows"][:3]


def as_csv(header: bool) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream)
    if header:
        writer.writerow([feature["name"] for feature in FEATURES])
    writer.writerows(ROWS)
    return stream.getvalue().encode()


def as_table() -> pa.Table:
    names = [feature["name"] for feature in FEATURES]
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in ROWS])


def as_parquet() -> bytes:
    stream = io.BytesIO()
    pa.parquet.write_table(as_table(), stream)
    return stream.getvalue()


def as_stream() -> bytes:
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, as_table().schema) as writer:
        writer.write_table(as_table())
    return stream.getvalue()


def as_json_lines() -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in ROWS)


def register(name: str, *bodies: bytes, aliases: tuple[str, ...] = ()) -> None:
    schemathesis.openapi.media_type(name, strategies.sampled_from(bodies), aliases=aliases)


register("text/csv", as_csv(True), as_csv(False), aliases=("application/csv",))
register("application/vnd.apache.parquet", as_parquet(), aliases=("application/x-parquet",))
register("application/vnd.apache.arrow.stream", as_stream())
register("application/jsonlines", as_json_lines(), aliases=("application/x-jsonlines", "application/x-ndjson"))
