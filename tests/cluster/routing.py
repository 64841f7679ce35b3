"""What a request is about, by its method, path and query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.cluster.kinds import Kind, find_by_plural
from tests.cluster.queries import flag
from tests.cluster.rbac import Action

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}


@dataclass(frozen=True)
class Route:
    """The parts of a resource's path; `namespace` None: of all namespaces, or of a kind without."""

    group: str
    version: str
    plural: str
    namespace: str | None = None
    name: str = ""
    subresource: str = ""

    @property
    def kind(self) -> Kind | None:
        """The kind, if there is one."""
        return find_by_plural(self.group, self.version, self.plural)

    def action(self, method: str, query: Mapping[str, str]) -> Action:
        """What the authoriser is asked about."""
        verb, name = _VERBS.get(method, method.lower()), self.name
        if verb == "get" and flag(query, "watch"):
            verb = "watch"
        elif not name:
            verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
        if not name and verb in {"list", "watch"}:
            name = query.get("fieldSelector", "").removeprefix("metadata.name=") if self._selects_name(query) else ""
        return Action(verb, self.group, self.plural, self.subresource, self.namespace or "", name)

    @staticmethod
    def _selects_name(query: Mapping[str, str]) -> bool:
        selector = query.get("fieldSelector", "")
        return selector.startswith("metadata.name=") and "," not in selector


def find_route(path: str) -> Route | None:
    """The route of a path, or None for a path that is no resource's."""
    parts = [part for part in path.split("/") if part]
    if parts[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    if not rest:
        return None
    if rest[0] == "namespaces" and (len(rest) > 3 or (len(rest) == 3 and rest[2] not in {"status", "finalize"})):
        namespace, rest = rest[1], rest[2:]
        return Route(group, version, rest[0], namespace, *_name_and_below(rest))
    return Route(group, version, rest[0], None, *_name_and_below(rest))


def _name_and_below(rest: list[str]) -> tuple[str, str]:
    return rest[1] if len(rest) > 1 else "", "/".join(rest[2:])
