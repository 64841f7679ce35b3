"""What every part of a model file has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of every part of a model file: unknown keys are errors, values do not change after parsing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def exactly_one(section: BaseModel) -> str:
    """The name of the only field that is given. Raises ValueError: none is, or more than one."""
    given = [name for name in type(section).model_fields if getattr(section, name) is not None]
    if len(given) != 1:
        raise ValueError(
            f"exactly one of {', '.join(type(section).model_fields)}, with {{}} where its defaults will do"
        )
    return given[0]
