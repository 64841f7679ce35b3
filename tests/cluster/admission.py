"""What may refuse an object that is well-formed: its namespace, quota, webhooks."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.cluster import quantities, status
from tests.cluster.kinds import KINDS
from tests.cluster.status import StatusError
from tests.cluster.store import Store

Object = dict[str, Any]

_PLAIN_COUNTS = {"pods", "services", "secrets", "configmaps", "resourcequotas"}


class NamespaceLifecycle:
    """Nothing is created in a namespace that does not exist, or that is going."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, new: Object, old: Object | None, *, subresource: str) -> Object:
        """Raises StatusError 404 or 403."""
        kind = KINDS[new["kind"]]
        if old is not None or not kind.namespaced:
            return new
        name = new["metadata"]["namespace"]
        namespace = self._store.find("Namespace", "", name)
        if namespace is None:
            raise status.not_found(KINDS["Namespace"], name)
        if "deletionTimestamp" in namespace["metadata"]:
            why = f"unable to create new content in namespace {name} because it is being terminated"
            raise status.forbidden(kind, new["metadata"]["name"], why)
        return new


class ServiceAccounts:
    """A pod's service account must exist."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, new: Object, old: Object | None, *, subresource: str) -> Object:
        """Raises StatusError 403."""
        if new["kind"] != "Pod" or old is not None:
            return new
        namespace, name = new["metadata"]["namespace"], new["spec"]["serviceAccountName"]
        if self._store.find("ServiceAccount", namespace, name) is None:
            why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise status.forbidden(KINDS["Pod"], new["metadata"]["name"], why)
        return new


class ClusterAddresses:
    """Gives Services an address of `allocate()`, and keeps it at an update."""

    def __init__(self, allocate: Callable[[Object], str]) -> None:
        self._allocate = allocate

    def __call__(self, new: Object, old: Object | None, *, subresource: str) -> Object:
        """Completes spec.clusterIP."""
        if new["kind"] != "Service" or new["spec"]["type"] == "ExternalName":
            return new
        spec = new["spec"]
        if not spec.get("clusterIP"):
            spec["clusterIP"] = (old or {"spec": {}})["spec"].get("clusterIP") or self._allocate(new)
        spec["clusterIPs"] = [spec["clusterIP"]]
        return new


class Webhooks:
    """Validating webhooks that a test registers: `check(object, old)` returns why it denies, or None.

    `registered` maps a webhook's name to its check and the HTTP code of its denial.
    """

    def __init__(self) -> None:
        self.registered: dict[str, tuple[Callable[[Object, Object | None], str | None], int]] = {}

    def add(self, name: str, check: Callable[[Object, Object | None], str | None], *, code: int = 403) -> None:
        """Consult `check` at every creation and change."""
        self.registered[name] = check, code

    def __call__(self, new: Object, old: Object | None, *, subresource: str) -> Object:
        """Raises StatusError with the webhook's code."""
        if subresource == "status":
            return new
        for name, (check, code) in self.registered.items():
            why = check(new, old)
            if why is not None:
                text = f'admission webhook "{name}" denied the request: {why}'
                raise StatusError(code, text, reason=None if code != 403 else "Forbidden")
        return new


class Quota:
    """The ResourceQuota objects of a namespace."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, new: Object, old: Object | None, *, subresource: str) -> Object:
        """Raises StatusError 403 where a new object exceeds what is left, or lacks what is limited."""
        if old is not None or new["kind"] == "Namespace":
            return new
        wanted = usage(new)
        for quota in self._store.list("ResourceQuota", new["metadata"].get("namespace", "")):
            self._check(new, quota, wanted)
        return new

    def _check(self, new: Object, quota: Object, wanted: dict[str, Decimal]) -> None:
        hard = {name: str(amount) for name, amount in (quota["spec"].get("hard") or {}).items()}
        if new["kind"] == "Pod":
            _check_specified(new, quota["metadata"]["name"], hard)
        used = self.used(quota)
        over = [
            name
            for name in sorted(hard)
            if wanted.get(name) and used[name] + wanted[name] > quantities.parse(hard[name])
        ]
        if over:
            limited = {name: quantities.parse(hard[name]) for name in over}
            listed = [
                f"{title}: " + ",".join(f"{name}={quantities.text_of(values[name], hard[name])}" for name in over)
                for title, values in (("requested", wanted), ("used", used), ("limited", limited))
            ]
            why = f"exceeded quota: {quota['metadata']['name']}, {', '.join(listed)}"
            raise status.forbidden(KINDS[new["kind"]], new["metadata"]["name"], why)

    def used(self, quota: Object) -> dict[str, Decimal]:
        """What the namespace of a quota uses, by the names in the quota's spec.hard."""
        totals = {name: Decimal(0) for name in quota["spec"].get("hard") or {}}
        for kind in KINDS.values():
            if not kind.namespaced:
                continue
            for obj in self._store.list(kind.name, quota["metadata"]["namespace"]):
                for name, amount in usage(obj).items():
                    if name in totals:
                        totals[name] += amount
        return totals


def usage(obj: Object) -> dict[str, Decimal]:
    """What one object counts for, by the names of quotas. A pod that has ended counts for nothing."""
    kind = KINDS[obj["kind"]]
    counted = {f"count/{kind.resource}": Decimal(1)}
    if kind.plural in _PLAIN_COUNTS and not kind.group:
        counted[kind.plural] = Decimal(1)
    if kind.name != "Pod":
        return counted
    if (obj.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        return {"count/pods": Decimal(1)}
    return counted | _compute(obj["spec"])


def _compute(spec: Object) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for container in spec.get("containers") or []:
        for group in ("requests", "limits"):
            for name, amount in ((container.get("resources") or {}).get(group) or {}).items():
                for key in (f"{group}.{name}", *([name] if group == "requests" else [])):
                    totals[key] = totals.get(key, Decimal(0)) + quantities.parse(amount)
    return totals


def _check_specified(pod: Object, quota: str, hard: dict[str, str]) -> None:
    """With a quota on a resource, every container must say how much of it it wants."""
    missing = []
    for limited in sorted(hard):
        group, _, resource = (f"requests.{limited}" if limited in {"cpu", "memory"} else limited).partition(".")
        names = [
            container["name"]
            for container in pod["spec"]["containers"]
            if group in {"requests", "limits"} and resource not in (container["resources"].get(group) or {})
        ]
        if names:
            missing.append(f"{limited} for: {','.join(names)}")
    if missing:
        why = f"failed quota: {quota}: must specify {'; '.join(missing)}"
        raise status.forbidden(KINDS["Pod"], pod["metadata"]["name"], why)
