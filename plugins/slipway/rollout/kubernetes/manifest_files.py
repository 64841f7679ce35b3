"""The manifests as they lie in `serving/k8s/`, and the parts of them that a model's own values go into.

They are parsed first and changed afterwards: a value from a model file becomes a string in an object, and can never become
YAML of its own.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from slipway.core.errors import ConfigurationError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESTORE = "Restore it from Slipway's own serving/k8s."


class ManifestFiles:
    """One file for each kind; read when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, dict[str, Any]] = {}

    def load(self, kind: str) -> dict[str, Any]:
        """A new copy of ``<kind in lower case>.yaml``.

        Raises:
            ConfigurationError: the file is not there, cannot be read, or is no object of that kind.
        """
        if kind not in self._read:
            self._read[kind] = self._parsed(kind)
        return copy.deepcopy(self._read[kind])

    def _parsed(self, kind: str) -> dict[str, Any]:
        path = self._folder / f"{kind.lower()}.yaml"
        try:
            loaded = yaml.load(path.read_bytes(), _Loader)  # noqa: S506  the safe one, in C
        except (OSError, yaml.YAMLError) as error:
            raise _unusable(str(path), f"it cannot be read ({error})") from error
        if not isinstance(loaded, dict) or loaded.get("kind") != kind:
            raise _unusable(str(path), f"it is no {kind}")
        return loaded


def part(whole: dict[str, Any], *path: str) -> dict[str, Any]:
    """The mapping at `path`, made if it is not there. Raises ConfigurationError: there is something else."""
    found = whole
    for depth, key in enumerate(path, start=1):
        found = found.setdefault(key, {})
        if not isinstance(found, dict):
            raise _unusable(_where(whole, path[:depth]), "it is no mapping")
    return found


def items(whole: dict[str, Any], *path: str) -> list[dict[str, Any]]:
    """The list of mappings at `path`, made if it is not there. Raises ConfigurationError: there is something else."""
    found = part(whole, *path[:-1]).setdefault(path[-1], [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise _unusable(_where(whole, path), "it is no list of mappings")
    return found


def get_named(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The item of that name. Raises ConfigurationError: there is none."""
    for item in found:
        if item.get("name") == name:
            return item
    raise _unusable(name, "it is not there")


def set_named(found: list[dict[str, Any]], item: dict[str, Any]) -> None:
    """Put an item where one of its name stands, or at the end."""
    names = [each.get("name") for each in found]
    at = names.index(item["name"]) if item["name"] in names else len(found)
    found[at : at + 1] = [item]


def _where(whole: dict[str, Any], path: tuple[str, ...]) -> str:
    return f"{whole.get('kind', 'manifest')}: {'.'.join(path)}"


def _unusable(on: str, why: str) -> ConfigurationError:
    return ConfigurationError("could not make the manifests", on=on, why=why, fix=_RESTORE)
