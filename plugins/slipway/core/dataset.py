"""A stored dataset, as the tasks after its ingestion see it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from slipway.core.column import Schema


class DatasetRef(BaseModel):
    """Which dataset version to use and what is in it; small enough for an XCom.

    In JSON and as an argument the schema is called ``schema``; the attribute is `table_schema`, because pydantic keeps
    the other name for itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    id: str = Field(description="SHA-256 of the file's bytes, 64 hex digits.")
    key: str = Field(description="Below <store>/<model>/, e.g. datasets/4f2a.../data.csv.")
    rows: int
    size_bytes: int
    file_sha256: str
    table_schema: Schema = Field(alias="schema")
    changed: bool = Field(description="Whether this run wrote the file.")
    summary: str
