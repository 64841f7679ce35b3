"""One request for a resource."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml
from aiohttp import web

from tests.cluster.kinds import Kind
from tests.cluster.rbac import Action, User
from tests.cluster.routing import Route
from tests.cluster.status import StatusError


@dataclass(frozen=True)
class Call:
    """One request for a resource, with all that was found out about it."""

    raw: web.BaseRequest
    body: bytes
    query: dict[str, str]
    user: User
    route: Route
    kind: Kind
    action: Action

    @property
    def namespace(self) -> str:
        """The namespace of the path, or ""."""
        return self.route.namespace or ""

    def parsed(self) -> Any:
        """The body: JSON, or YAML as server-side apply allows it; None for an empty one. Raises StatusError 400, 415."""
        return _parsed(self.body)

    @property
    def dry_run(self) -> bool:
        """Whether nothing shall be stored. Raises StatusError 400 for an unknown kind of dry run."""
        return _dry_run(self.query)


def _parsed(body: bytes) -> Any:
    """JSON, or YAML as server-side apply allows it. Raises StatusError 400."""
    if not body:
        return None
    if body.startswith(b"k8s\x00"):
        accepted = "application/json, application/yaml"
        text = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        raise StatusError(415, text)
    try:
        return json.loads(body)
    except ValueError:
        pass
    try:
        return yaml.safe_load(body)
    except yaml.YAMLError as error:
        raise StatusError(400, f"error decoding the body of the request: {error}") from error


def _dry_run(query: dict[str, str]) -> bool:
    if query.get("dryRun", "All") != "All":
        raise StatusError(400, f'dryRun: Unsupported value: "{query["dryRun"]}": supported values: "All"')
    return "dryRun" in query
