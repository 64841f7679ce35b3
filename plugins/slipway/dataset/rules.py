"""Which rule holds for which column, and who made it: the model file, or else the champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slipway.core.column import Column, ColumnRule, Schema
from slipway.core.identity import content_id

if TYPE_CHECKING:
    from slipway.core.model_file import Dataset

MODEL_FILE = "the model file"
DEFAULT = "the model file, which declares nothing for it"
RULES_VERSION = 1  # count up when the same rules come to mean something else: stored datasets are then checked again


@dataclass(frozen=True)
class Expectation:
    """The rule for one column; `type_source` differs from `source` when the model file leaves the type open."""

    name: str
    rule: ColumnRule
    source: str
    type_source: str


@dataclass(frozen=True)
class Rules:
    """Everything a dataset is checked against.

    Args:
        dataset: the model file's section.
        task: classification or regression where the model file says so.
        champion: the schema of the champion's dataset, None before the first release.
        champion_label: for people, e.g. ``release 3``.
    """

    dataset: Dataset
    task: str | None = None
    champion: Schema | None = None
    champion_label: str = ""

    @property
    def champion_source(self) -> str:
        """How findings name the champion's schema."""
        return f"the champion's schema, {self.champion_label}"

    def expectation(self, name: str) -> Expectation:
        """The rule for the column `name`: what the model file declares; if it does not, what the champion has."""
        declared, known = self.dataset.columns.get(name), self._champion_column(name)
        if declared is None:
            if known is None:
                return Expectation(name, ColumnRule(), DEFAULT, DEFAULT)
            rule = ColumnRule(**known.model_dump(exclude={"name"}))
            return Expectation(name, rule, self.champion_source, self.champion_source)
        if declared.categories is not None:
            declared = declared.model_copy(update={"type": "category"})
        if (
            declared.type is None
            and known is not None
            and (known.type in {"number", "integer"} or not _has_range(declared))
        ):
            rule = declared.model_copy(update={"type": known.type})
            return Expectation(name, rule, MODEL_FILE, self.champion_source)
        return Expectation(name, declared, MODEL_FILE, MODEL_FILE)

    def identity(self) -> dict[str, Any]:
        """What a manifest keeps to tell whether a dataset has to be checked again."""
        section = self.dataset.model_dump(mode="json", exclude={"uri", "conn_id"})
        champion = content_id(self.champion.model_dump(mode="json")) if self.champion else None
        return {"rules": content_id([RULES_VERSION, section, self.task]), "champion": champion}

    def are_met_by(self, validated_with: dict[str, Any], schema: Schema) -> bool:
        """Whether a dataset validated with `validated_with`, which settled on `schema`, passes these rules too.

        True for the same rules, and when only the champion differs but asks nothing that `schema` does not say: so the
        dataset that made the first champion is not checked again against itself.
        """
        identity = self.identity()
        if validated_with == identity:
            return True
        return validated_with.get("rules") == identity["rules"] and schema == self.champion

    def _champion_column(self, name: str) -> Column | None:
        if self.champion is None:
            return None
        return self.champion.target if name == self.champion.target.name else self.champion.feature(name)


def _has_range(rule: ColumnRule) -> bool:
    return rule.minimum is not None or rule.maximum is not None
