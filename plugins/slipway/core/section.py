"""What every part of a model file has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of every part of a model file: unknown keys are errors, values do not change after parsing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allowed: ClassVar[str] = "a mapping of key: value"
    """What an error says where something else stands in the section's place."""
    instead_of: ClassVar[Mapping[str, str]] = {}
    """Keys that people expect here and that there are not, with what to write instead."""


def exactly_one(section: BaseModel) -> str:
    """The name of the only field that is given. Raises ValueError: none is, or more than one."""
    given = [name for name in type(section).model_fields if getattr(section, name) is not None]
    if len(given) != 1:
        raise ValueError(
            f"exactly one of {', '.join(type(section).model_fields)}, with {{}} where its defaults will do"
        )
    return given[0]
