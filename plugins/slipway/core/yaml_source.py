"""A YAML text that remembers on which line each key stands, and words pydantic's complaints for the person who wrote it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
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
        self.name, self._text = name, text
        self._lines: dict[Path, int] = {}
        self._seen: set[int] = set()
        self._open: set[int] = set()
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is not None:
                self._note(root, ())
            self.value = self._value(loader, root) if root is not None else None
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from error
        except RecursionError as error:
            raise self._error(1, "found lists or mappings in one another without end, allowed: a few levels") from error
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

    def _value(self, loader: Any, root: yaml.Node) -> Any:
        try:
            return loader.construct_document(root)
        except ValueError as error:  # what looks like a date and is none, such as 2013-02-30
            line, text = _first_wrong(root)
            raise self._error(line, f"found {text}, allowed: a date that exists ({error})") from error

    def _note(self, node: yaml.Node, path: Path) -> None:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._open:
            raise self._error(
                self.line(path), f"{_dotted(path)}: found an alias inside of what it stands for, allowed: a copy"
            )
        if id(node) in self._seen:  # an alias: its parts stand where the anchor does
            return
        self._seen.add(id(node))
        self._open.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._note(item, (*path, index))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._note_key(key, (*path, str(key.value)))
                self._note(value, (*path, str(key.value)))
        self._open.remove(id(node))

    def _note_key(self, key: yaml.Node, path: Path) -> None:
        line = key.start_mark.line + 1
        if path in self._lines:
            first = self._lines[path]
            raise self._error(line, f"{_dotted(path)}: found twice (first on line {first}), allowed: once")
        self._lines[path] = line

    def _syntax_error(self, error: yaml.YAMLError) -> ConfigurationError:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or "it is not YAML"
        line = mark.line + 1 if mark else 1
        written = self._text.splitlines()[line - 1 : line]
        if written and "\t" in written[0][: len(written[0]) - len(written[0].lstrip())]:
            why = f"found a tab in the indentation, allowed: spaces ({why})"
        return self._error(line, f"not valid YAML: {why}")

    def _error(self, line: int, why: str) -> ConfigurationError:
        return ConfigurationError(
            "could not read the model file",
            on=f"{self.name}:{line}",
            why=why,
            fix="Correct the file; the DAG comes back at the next parse, the other models are not affected.",
        )


def _first_wrong(root: yaml.Node) -> tuple[int, str]:
    """Line and text of the first value that cannot be made."""
    for part in _scalars(root, set()):
        try:
            yaml.constructor.SafeConstructor().construct_object(part)
        except ValueError:
            return part.start_mark.line + 1, part.value
    return 1, "a value"


def _scalars(node: yaml.Node, seen: set[int]) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif id(node) not in seen:
        seen.add(id(node))
        for item in node.value:
            for part in item if isinstance(item, tuple) else (item,):
                yield from _scalars(part, seen)


def _problems(error: ValidationError, model: type[BaseModel], source: YamlSource) -> Iterator[tuple[Path, str]]:
    told: set[Path] = set()
    items = error.errors(include_url=False)
    for item in items:
        # Unions add the name of the alternative to the location; only what stands in the file means something to its author.
        path: Path = tuple(item["loc"])
        if item["type"] == "too_short" and any(
            len(other["loc"]) > len(path) and other["loc"][: len(path)] == path for other in items
        ):
            continue  # the list is only short of the items that are wrong themselves
        if not source.has(path) and item["type"] != "missing":
            while path and not source.has(path):
                path = path[:-1]
            if path in told:  # the other alternatives of the union say the same in other words
                continue
            told.add(path)
        yield path, f"{_dotted(path) or 'the file'}: found {_found(item)}, allowed: {_allowed(item, model)}"


def _found(item: Any) -> str:
    if item["type"] == "missing":
        return "nothing"
    if item["type"] == "extra_forbidden":
        return "an unknown key"
    if item["type"] == "value_error" and isinstance(item["input"], dict):
        return "keys that do not go together"
    return _shown(item["input"])


def _allowed(item: Any, model: type[BaseModel]) -> str:
    kind, path = item["type"], tuple(item["loc"])
    if kind == "extra_forbidden":
        names = _keys_at(model, path[:-1])
        return ", ".join(names) + (_instead(model, path) or _did_you_mean(path[-1], names))
    if kind in {"model_type", "model_attributes_type"}:
        return str(getattr(_section_at(model, path), "allowed", _MAPPING))
    if kind == "value_error":
        return str(item["ctx"]["error"])
    text = _PLAIN.get(kind) or _worded(item["msg"])
    if kind == "literal_error":
        return text + _did_you_mean(item["input"], re.findall(r"'([^']*)'", text))
    if kind == "string_pattern_mismatch":
        about = _description_at(model, path)
        return f"text that matches {item['ctx']['pattern']}" + (f" ({about.rstrip('.')})" if about else "")
    return text


_MAPPING = "a mapping of key: value"
_PLAIN = {
    "missing": "a value, the key is required",
    "string_type": "text; put quotes around what YAML takes for a number, a date, true or false",
    "tuple_type": "a list, such as [a, b], or items that start with '- '",
    "dict_type": _MAPPING,
    "invalid_key": "keys that are text; put quotes around what YAML takes for a number, a date, true or false",
}


def _worded(message: str) -> str:
    text: str = re.sub(r"^(Input|Value|String|List|Tuple|Dictionary) should (be |have )?", "", message)
    return text[0].lower() + text[1:]


def _did_you_mean(found: Any, names: list[str]) -> str:
    close = difflib.get_close_matches(str(found), names, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _instead(model: type[BaseModel], path: Path) -> str:
    """What its section knows of a key that there is not."""
    known: Mapping[str, str] = getattr(_section_at(model, path[:-1]), "instead_of", {})
    return f" ({known[str(path[-1])]})" if str(path[-1]) in known else ""


def _description_at(model: Any, path: Path) -> str | None:
    """What the field at `path` says of itself."""
    section = _section_at(model, path[:-1])
    field = section.model_fields.get(str(path[-1])) if section else None
    return field.description if field else None


def _keys_at(model: Any, path: Path) -> list[str]:
    """The field names of the section at `path`."""
    section = _section_at(model, path)
    return list(section.model_fields) if section else []


def _section_at(model: Any, path: Path) -> type[BaseModel] | None:
    """The section at `path`, found by walking the annotations."""
    for step in path:
        if isinstance(model, type) and issubclass(model, BaseModel) and step in model.model_fields:
            model = _section_in(model.model_fields[str(step)].annotation)
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


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
    if value is None:
        return "nothing"
    text = repr(value)
    if len(text) > 80 and isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value)}"
    return text if len(text) <= 80 else text[:77] + "..."
