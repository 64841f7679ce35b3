"""A YAML text that remembers on which line each key stands, and words pydantic's complaints for the person who wrote it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from slipway.core.errors import ConfigurationError

# The C parser is about ten times faster, and the scheduler parses every model file over and over.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path = tuple[int | str, ...]


class YamlSource:
    """One YAML document: its `value`, and the line of every key.

    Raises:
        ConfigurationError: on a syntax error, a repeated key, or a document that is not a mapping.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._lines: dict[Path, int] = {}
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is not None:
                self._note(root, ())
            self.value = loader.construct_document(root) if root is not None else None
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from error
        finally:
            loader.dispose()
        if not isinstance(self.value, dict):
            raise self._error(1, f"found {_shown(self.value)}, allowed: a mapping that starts with 'model: <name>'")

    def line(self, path: Path) -> int:
        """The line of the key at `path`, or of the closest parent that is in the text; counted from 1."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def error_for(self, error: ValidationError, model: type[BaseModel]) -> ConfigurationError:
        """All of pydantic's problems as one error, ordered by line."""
        problems = sorted((self.line(p), t) for p, t in _problems(error, model, self))
        first = problems[0][0]
        texts = [text if line == first else f"line {line}: {text}" for line, text in problems]
        return self._error(first, "; ".join(texts))

    def has(self, path: Path) -> bool:
        """Whether the text holds this very path."""
        return path in self._lines

    def _note(self, node: yaml.Node, path: Path) -> None:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._note(item, (*path, index))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*path, str(key.value))
                line = key.start_mark.line + 1
                if here in self._lines:
                    raise self._error(
                        line, f"{_dotted(here)}: found twice (first on line {self._lines[here]}), allowed: once"
                    )
                self._lines[here] = line
                self._note(value, here)

    def _syntax_error(self, error: yaml.YAMLError) -> ConfigurationError:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or "it is not YAML"
        return self._error(mark.line + 1 if mark else 1, f"not valid YAML: {why}")

    def _error(self, line: int, why: str) -> ConfigurationError:
        return ConfigurationError(
            "could not read the model file",
            on=f"{self.name}:{line}",
            why=why,
            fix="Correct the file; the DAG comes back at the next parse, the other models are not affected.",
        )


def _problems(error: ValidationError, model: type[BaseModel], source: YamlSource) -> Iterator[tuple[Path, str]]:
    for item in error.errors(include_url=False):
        # Unions add the name of the alternative to the location; only what stands in the file means something to its author.
        path: Path = tuple(item["loc"])
        if not source.has(path) and item["type"] != "missing":
            while path and not source.has(path):
                path = path[:-1]
        allowed = _allowed(item, model)
        if item["type"] == "missing":
            yield path, f"{_dotted(path)}: found nothing, allowed: {allowed}"
        elif item["type"] == "extra_forbidden":
            yield path, f"{_dotted(path)}: found an unknown key, allowed: {allowed}"
        else:
            together = item["type"] == "value_error" and isinstance(item["input"], dict)
            found = "keys that do not go together" if together else _shown(item["input"])
            yield path, f"{_dotted(path) or 'the file'}: found {found}, allowed: {allowed}"


def _allowed(item: Any, model: type[BaseModel]) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "missing":
        return "a value, the key is required"
    if kind == "extra_forbidden":
        names = _keys_at(model, tuple(item["loc"])[:-1])
        close = difflib.get_close_matches(str(item["loc"][-1]), names, n=1)
        return ", ".join(names) + (f" (did you mean {close[0]!r}?)" if close else "")
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"text that matches {context['pattern']}"
    text: str = re.sub(r"^(Input|Value|String|List|Tuple|Dictionary) should (be |have )?", "", item["msg"])
    return text[0].lower() + text[1:]


def _keys_at(model: Any, path: Path) -> list[str]:
    """The field names of the section at `path`, found by walking the annotations."""
    for step in path:
        if isinstance(model, type) and issubclass(model, BaseModel) and step in model.model_fields:
            model = _section_in(model.model_fields[str(step)].annotation)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _section_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _section_in(argument)) is not None:
            return found
    return None


def _dotted(path: Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, dict | list) else f"a {type(value).__name__} of {len(value)}"
    return text if len(text) <= 80 else text[:77] + "..."
