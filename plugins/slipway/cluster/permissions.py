"""What the Roles in serving/k8s/rbac allow, and whether our identity may do it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.cluster.api import Cluster
from slipway.core.errors import ConfigurationError, DeniedError
from slipway.core.serving_folder import serving_folder


@dataclass(frozen=True)
class Permission:
    """One verb on one resource, as a Role writes them; `group` "" is the core group."""

    verb: str
    group: str
    resource: str
    subresource: str = ""

    @property
    def on(self) -> str:
        """``deployments.apps``, ``pods/log``."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{resource}/{self.subresource}" if self.subresource else resource


def needed_permissions(parts: Sequence[str], folder: Path | None = None) -> list[Permission]:
    """All that the Roles of `parts` allow, each once.

    Args:
        parts: names of files there: ``role``, ``gateway``, ``own_gateway``, ``ingress``, ``training``.
        folder: of the Roles; serving/k8s/rbac.

    Raises:
        ConfigurationError: there is no such file, or no Role in it.
    """
    return list(dict.fromkeys(permission for part in parts for permission in _allowed(_read(part, folder))))


def missing_permissions(cluster: Cluster, parts: Sequence[str], folder: Path | None = None) -> list[Permission]:
    """Those of the needed ones that our identity lacks in the cluster's namespace; asks the API about each."""
    needed = needed_permissions(parts, folder)
    return [one for one in needed if not cluster.can_i(one.verb, one.group, one.resource, one.subresource)]


def check_permissions(cluster: Cluster, parts: Sequence[str], folder: Path | None = None) -> None:
    """Raises DeniedError: our identity lacks permissions; names all of them, and the Roles to apply."""
    missing = set(missing_permissions(cluster, parts, folder))
    if not missing:
        return
    lacking = [part for part in parts if missing & set(needed_permissions([part], folder))]
    raise DeniedError(
        "could not use the namespace",
        on=f"{cluster.namespace} ({cluster.name})",
        why=f"this identity may not {_grouped([one for one in needed_permissions(parts, folder) if one in missing])}",
        fix=_fix(cluster.namespace, lacking, folder),
    )


def _fix(namespace: str, parts: Sequence[str], folder: Path | None) -> str:
    files = " ".join(f"-f serving/k8s/rbac/{part}.yaml" for part in parts)
    roles = ", ".join(role["metadata"]["name"] for part in parts for role in _read(part, folder))
    return (
        f"Run `kubectl apply -n {namespace} {files}`, then bind {roles} to this identity: `kubectl create rolebinding "
        f"<name> -n {namespace} --role=<role> --user=<user>`, or --serviceaccount=<namespace>:<name>."
    )


def _grouped(permissions: Sequence[Permission]) -> str:
    verbs: dict[str, list[str]] = {}
    for permission in permissions:
        verbs.setdefault(permission.on, []).append(permission.verb)
    return "; ".join(f"{on}: {', '.join(may)}" for on, may in verbs.items())


def _read(part: str, folder: Path | None) -> list[dict[str, Any]]:
    import yaml

    path = (folder or serving_folder() / "k8s" / "rbac") / f"{part}.yaml"
    try:
        documents = list(yaml.safe_load_all(path.read_text("utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise _unreadable(path, str(error)) from error
    roles = [one for one in documents if isinstance(one, dict) and one.get("kind") == "Role"]
    if not roles:
        raise _unreadable(path, "it holds no Role")
    return roles


def _unreadable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        "could not read the Role", on=str(path), why=why, fix="Restore it from Slipway's sources."
    )


def _allowed(roles: Sequence[Mapping[str, Any]]) -> Iterator[Permission]:
    for rule in (rule for role in roles for rule in role.get("rules") or []):
        for group in rule["apiGroups"]:
            for named in rule["resources"]:
                resource, _, subresource = named.partition("/")
                yield from (Permission(verb, group, resource, subresource) for verb in rule["verbs"])
