"""Who a request is from, and what it may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.cluster.kinds import KINDS, find_by_plural
from tests.cluster.status import StatusError
from tests.cluster.store import Store

Object = dict[str, Any]
ADMINISTRATORS = "system:masters"
_DISCOVERY = ("/api", "/apis", "/version", "/healthz", "/readyz", "/livez", "/openapi")


@dataclass(frozen=True)
class User:
    """Whoever sent a request."""

    name: str
    groups: tuple[str, ...]

    @classmethod
    def named(cls, name: str) -> User:
        """The user `admin`, a service account `system:serviceaccount:<namespace>:<name>`, or a plain user."""
        if name == "admin":
            return cls("kubernetes-admin", (ADMINISTRATORS, "system:authenticated"))
        if name.startswith("system:serviceaccount:"):
            namespace = name.split(":")[2]
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
            return cls(name, groups)
        return cls(name, ("system:authenticated",))


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclass(frozen=True)
class Action:
    """What somebody wants to do; `resource` is the plural, `subresource` may be empty, as may be `namespace`."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def full_resource(self) -> str:
        """As rules name it: `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Tokens:
    """The bearer tokens of the cluster."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}

    def of(self, user: str) -> str:
        """The token of a user, who exists from now on."""
        token = f"token-of-{user.replace(':', '.')}"
        self._users[token] = User.named(user)
        return token

    def user(self, headers: Mapping[str, str]) -> User:
        """Who sent these headers, or whom an administrator impersonates. Raises StatusError 401 for an unknown token."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if not scheme:
            return ANONYMOUS
        user = self._users.get(token.strip())
        if scheme.lower() != "bearer" or user is None:
            raise StatusError(401, "Unauthorized")
        if "Impersonate-User" in headers and ADMINISTRATORS in user.groups:
            return User.named(headers["Impersonate-User"])
        return user


class Authoriser:
    """RBAC by the Role and RoleBinding objects of the store; without `enabled` everybody may do everything."""

    def __init__(self, store: Store, *, enabled: bool) -> None:
        self._store = store
        self._enabled = enabled

    def allows(self, user: User, action: Action) -> bool:
        """Whether a role that is bound to the user has a rule for the action."""
        if not self._enabled or ADMINISTRATORS in user.groups:
            return True
        if action.resource.startswith("selfsubject") and user != ANONYMOUS:
            return True
        return any(_covers(rule, action) for rule in self._rules(user, action.namespace))

    def check(self, user: User, action: Action) -> None:
        """Raises StatusError 403 in the words of the real authoriser."""
        if self.allows(user, action):
            return
        kind = find_by_plural(action.group, _version(action), action.resource)
        resource = kind.resource if kind else action.resource
        subject = f'{resource} "{action.name}"' if action.name else resource
        where = f'in the namespace "{action.namespace}"' if action.namespace else "at the cluster scope"
        what = f'cannot {action.verb} resource "{action.full_resource}" in API group "{action.group}" {where}'
        details = {"name": action.name} if action.name else {}
        details |= {"group": action.group} if action.group else {}
        text = f'{subject} is forbidden: User "{user.name}" {what}'
        raise StatusError(403, text, details={**details, "kind": action.resource})

    def check_path(self, user: User, path: str) -> None:
        """Raises StatusError 403 for a path that is no resource and not for everybody."""
        if self._enabled and ADMINISTRATORS not in user.groups:
            public = path.startswith(("/version", "/healthz", "/readyz", "/livez"))
            if not public and (user == ANONYMOUS or not path.startswith(_DISCOVERY)):
                raise StatusError(403, f'forbidden: User "{user.name}" cannot get path "{path}"')

    def _rules(self, user: User, namespace: str) -> Iterator[Object]:
        for binding in self._store.list("ClusterRoleBinding"):
            if _binds(binding, user):
                yield from self._role_rules(binding["roleRef"], "")
        for binding in self._store.list("RoleBinding", namespace) if namespace else []:
            if _binds(binding, user):
                yield from self._role_rules(binding["roleRef"], namespace)

    def _role_rules(self, reference: Object, namespace: str) -> list[Object]:
        role = self._store.find(reference["kind"], namespace, reference["name"])
        return (role or {}).get("rules") or []


def _version(action: Action) -> str:
    found = (kind.version for kind in KINDS.values() if (kind.group, kind.plural) == (action.group, action.resource))
    return next(found, "v1")


def _binds(binding: Object, user: User) -> bool:
    return any(_is(subject, user, binding) for subject in binding.get("subjects") or [])


def _is(subject: Object, user: User, binding: Object) -> bool:
    if subject["kind"] == "ServiceAccount":
        namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
        return user.name == f"system:serviceaccount:{namespace}:{subject['name']}"
    if subject["kind"] == "Group":
        return subject["name"] in user.groups
    return bool(subject["name"] == user.name)


def _covers(rule: Object, action: Action) -> bool:
    def among(wanted: str, name: str) -> bool:
        return bool({wanted, "*"} & set(rule.get(name) or []))

    resources = set(rule.get("resources") or [])
    wildcard = f"*/{action.subresource}" if action.subresource else "*"
    if not among(action.verb, "verbs") or not among(action.group, "apiGroups"):
        return False
    if not {action.full_resource, "*", wildcard} & resources:
        return False
    names = rule.get("resourceNames")
    return not names or action.name in names
