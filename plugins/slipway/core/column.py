"""Columns: what a model file may ask of one, and what a dataset's columns turned out to be."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

ColumnType = Literal["number", "integer", "boolean", "category"]
NUMERIC_TYPES: frozenset[str] = frozenset({"number", "integer", "boolean"})


class ColumnRule(BaseModel):
    """What the model file declares of one column; a type left out is inferred from the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: ColumnType | None = None
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> ColumnRule:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum <= maximum, not {self.minimum:g} > {self.maximum:g}")
        if self.categories is not None and self.type not in {None, "category"}:
            raise ValueError(f"categories only with type: category, not {self.type}")
        if self.categories is not None and (self.minimum is not None or self.maximum is not None):
            raise ValueError("either categories or minimum and maximum")
        return self


class Column(BaseModel):
    """One column of a dataset that passed validation: its rule with the type settled.

    `categories` are the allowed ones when declared; None means that any text is allowed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: ColumnType
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] | None = None

    @property
    def is_numeric(self) -> bool:
        """Whether serving passes it as a float32."""
        return self.type in NUMERIC_TYPES


class Schema(BaseModel):
    """The features in the order of a positional row, and the target."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: tuple[Column, ...]
    target: Column

    def feature(self, name: str) -> Column | None:
        """The feature of that name, if there is one."""
        return next((column for column in self.features if column.name == name), None)
