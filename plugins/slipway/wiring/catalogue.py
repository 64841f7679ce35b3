"""The model files of a folder, read once per parse; a broken one is set aside, the others live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from slipway.core.errors import ConfigurationError
from slipway.core.model_file import ModelFile, parse_model_file


class Catalogue:
    """The models below one folder.

    Args:
        folder: holds the ``*.yaml`` files.
        only_dag_id: stop once this DAG's model is found. A worker parses the DAG file for one task of one DAG; reading
            500 other models for it would cost every task.
    """

    def __init__(self, folder: Path, only_dag_id: str | None = None) -> None:
        self._folder, self._only = folder, only_dag_id
        self._paths_read: dict[str, Path] = {}
        self.broken: dict[Path, ConfigurationError] = {}

    def models(self) -> Iterator[ModelFile]:
        """The sound models, by file name; fills `broken` on the way."""
        for path in self._paths():
            try:
                model = self._read(path)
            except ConfigurationError as error:
                self.broken[path] = error
                continue
            if self._only is None or model.dag_id == self._only:
                yield model
            if model.dag_id == self._only:
                return

    def set_aside(self, model: ModelFile, error: Exception) -> None:
        """Count a model that was read, but of which no DAG can be made, among the `broken`."""
        path = self._paths_read[model.model]
        why = f"no DAG can be made of it: {error}"
        self.broken[path] = ConfigurationError(
            "could not use the model file",
            on=_shown(path),
            why=why,
            fix="Correct the file; other models are not affected.",
        )

    def _paths(self) -> list[Path]:
        paths = sorted([*self._folder.glob("*.yaml"), *self._folder.glob("*.yml")])
        if self._only is not None:
            # By custom iris.yaml holds the model iris, so the first look usually is the last.
            paths.sort(key=lambda path: f"deliver_{path.stem}" != self._only)
        return paths

    def _read(self, path: Path) -> ModelFile:
        name = _shown(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                "could not read the model file", on=name, why=str(error), fix="Save it as readable UTF-8 text."
            ) from error
        model = parse_model_file(text, name)
        if (first := self._paths_read.setdefault(model.model, path)) != path:
            raise ConfigurationError(
                "could not read the model file",
                on=name,
                why=f"model: found {model.model!r}, which {first.name} has already; allowed: a name of its own",
                fix="Rename one of the two models.",
            )
        return model


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
