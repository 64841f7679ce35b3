"""What the API says about itself: groups, versions and kinds."""

from __future__ import annotations

from typing import Any

from tests.cluster.kinds import GATEWAY_GROUP, KINDS, Kind

Object = dict[str, Any]

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_SUBRESOURCES = {
    "status": ("", ["get", "patch", "update"]),
    "scale": ("Scale", ["get", "patch", "update"]),
    "log": ("", ["get"]),
    "portforward": ("PodPortForwardOptions", ["create", "get"]),
    "eviction": ("Eviction", ["create"]),
}


class Discovery:
    """Answers of the paths that list kinds; those of the Gateway API only with `gateway`."""

    def __init__(self, *, version: str, gateway: bool) -> None:
        self._version = version
        self._kinds = [kind for kind in KINDS.values() if gateway or kind.group != GATEWAY_GROUP]

    def knows(self, kind: Kind) -> bool:
        """Whether the cluster has this kind."""
        return kind in self._kinds

    def find(self, path: str) -> Object | None:
        """The document of a path, or None."""
        parts = path.strip("/").split("/")
        fixed = {"version": self._server_version, "api": self._versions, "apis": self._group_list}
        if len(parts) == 1 and parts[0] in fixed:
            return fixed[parts[0]]()
        match parts:
            case ["api", version] if version == "v1":
                return self._resources("", version)
            case ["apis", group] if group and group in self._groups():
                return {"kind": "APIGroup", "apiVersion": "v1", **self._group(group)}
            case ["apis", group, version] if self._of(group, version):
                return self._resources(group, version)
        return None

    def _versions(self) -> Object:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}

    def _group_list(self) -> Object:
        groups = [self._group(name) for name in self._groups() if name]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def _server_version(self) -> Object:
        major, minor, _ = self._version.removeprefix("v").split(".")
        build = {
            "buildDate": "2026-08-12T09:00:00Z",
            "gitTreeState": "clean",
            "goVersion": "go1.26.0",
            "compiler": "gc",
            "platform": "linux/amd64",
        }
        return {"major": major, "minor": minor, "gitVersion": self._version, "gitCommit": "0" * 40, **build}

    def _groups(self) -> dict[str, str]:
        return {kind.group: kind.version for kind in self._kinds}

    def _group(self, name: str) -> Object:
        version = self._groups()[name]
        entry = {"groupVersion": f"{name}/{version}", "version": version}
        return {"name": name, "versions": [entry], "preferredVersion": entry}

    def _of(self, group: str, version: str) -> list[Kind]:
        return [kind for kind in self._kinds if (kind.group, kind.version) == (group, version)]

    def _resources(self, group: str, version: str) -> Object:
        found = [entry for kind in self._of(group, version) for entry in _entries(kind)]
        name = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": found}


def _entries(kind: Kind) -> list[Object]:
    shared = {"singularName": kind.name.lower(), "namespaced": kind.namespaced}
    verbs = ["create"] if kind.create_only else _VERBS
    short = {"shortNames": list(kind.short_names)} if kind.short_names else {}
    own = {"name": kind.plural, **shared, "kind": kind.name, "verbs": verbs, **short}
    below = []
    for name in kind.subresources:
        a_kind, some = _SUBRESOURCES[name]
        entry = {
            "name": f"{kind.plural}/{name}",
            **shared,
            "singularName": "",
            "kind": a_kind or kind.name,
            "verbs": some,
        }
        below.append(entry)
    return [own, *below]
