"""From the body of a request to an object of the kind that its path names."""

from __future__ import annotations

from typing import Any

from tests.cluster import quantities, schemas
from tests.cluster.kinds import Kind
from tests.cluster.status import StatusError

Object = dict[str, Any]


def decode(kind: Kind, body: Any, *, namespace: str, name: str = "") -> Object:
    """The object of a body, without nulls, in the namespace of the path.

    Raises:
        StatusError: 400 where it is of another kind, namespace or name than the path says.
    """
    if not isinstance(body, dict):
        raise StatusError(400, f"the object provided is unrecognized (must be of type {kind.name})")
    obj: Object = without_nulls(body)
    found = (obj.setdefault("apiVersion", kind.api_version), obj.setdefault("kind", kind.name))
    if found != (kind.api_version, kind.name):
        text = f"{found[1]} in version {found[0]!r} cannot be handled as a {kind.name}: no kind {found[1]!r}"
        raise StatusError(400, text.replace("'", '"'))
    meta = obj.setdefault("metadata", {})
    if kind.namespaced and meta.setdefault("namespace", namespace) != namespace:
        raise StatusError(400, "the namespace of the provided object does not match the namespace sent on the request")
    if not kind.namespaced:
        meta.pop("namespace", None)
    if name and meta.setdefault("name", name) != name:
        raise StatusError(400, f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    return obj


def without_nulls(value: Any) -> Any:
    """A null is the same as nothing."""
    if isinstance(value, dict):
        return {name: without_nulls(below) for name, below in value.items() if below is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def check_schema(kind: Kind, obj: Object, validation: str) -> list[str]:
    """Hold an object against its kind's schema; unknown fields are removed in place. Returns warnings.

    `validation` is Strict, Warn or Ignore.

    Raises:
        StatusError: 400 for a value of the wrong type; with Strict also for a field that is not known.
    """
    found = schemas.problems(obj)
    for problem in found:
        if problem.holder is None:
            _refuse(kind, f"cannot unmarshal {problem.types[1]} into Go struct field {_of(kind, problem)}")
    _check_quantities(kind, obj)
    texts = [f'unknown field "{problem.indexed}"' for problem in found]
    if texts and validation == "Strict":
        strict = f"strict decoding error: {', '.join(texts)}"
        text = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {strict}'
        raise StatusError(400, text)
    for problem in found:
        if problem.holder is not None:
            del problem.holder[problem.name]
    return texts if validation == "Warn" else []


def check_applied(kind: Kind, obj: Object) -> None:
    """As `check_schema`, of an object that is applied, in the words of server-side apply: 500 without a reason."""
    for problem in schemas.problems(obj):
        why = "field not declared in schema"
        if problem.holder is None:
            expected = {"integer": "numeric (int or float)", "object": "map", "array": "list"}
            why = f"expected {expected.get(problem.types[0], problem.types[0])}, got {problem.types[1]}"
        meta = obj["metadata"]
        where = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {kind.api_version}, Kind={kind.name}"
        text = f"failed to create typed patch object ({where}): {problem.keyed}: {why}"
        raise StatusError(500, text, reason="")
    _check_quantities(kind, obj)


def _refuse(kind: Kind, why: str) -> None:
    raise StatusError(400, f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: json: {why}')


def _of(kind: Kind, problem: schemas.Problem) -> str:
    parent, _, name = problem.indexed.rpartition(".")
    return f"{kind.name}.{parent}.{name}".replace("..", ".") + f" of type {problem.types[0]}"


def _check_quantities(kind: Kind, value: Any) -> None:
    """Amounts of resources are parsed when a request is decoded."""
    if isinstance(value, list):
        for item in value:
            _check_quantities(kind, item)
    elif isinstance(value, dict):
        for name, below in value.items():
            if name in {"limits", "requests", "hard"} and isinstance(below, dict):
                for amount in below.values():
                    _check_quantity(kind, amount)
            else:
                _check_quantities(kind, below)


def _check_quantity(kind: Kind, amount: Any) -> None:
    try:
        quantities.parse(amount)
    except ValueError as error:
        raise StatusError(
            400, f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {error}'
        ) from error
