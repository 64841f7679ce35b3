"""Bring the objects of one model to what is declared: what would change, what did, and what is no longer wanted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from slipway.cluster.api import MANAGER, Cluster
from slipway.cluster.diff import Change, diff_objects
from slipway.cluster.managed_fields import field_owners
from slipway.cluster.resources import OPTIONAL_KINDS, PRUNED_KINDS, reference
from slipway.cluster.status import ApiError
from slipway.core.errors import ConfigurationError, DeniedError

OWNERSHIP_LABELS = ("app.kubernetes.io/managed-by", "slipway.dev/model")
"""What an object must carry, with our values, before we change or remove it."""

_AUTOSCALER = "kube-controller-manager"  # the manager of what HorizontalPodAutoscalers scale
_SHOWN = 120  # characters of one value
_XCOM_ITEMS = 40

Action = Literal["create", "change", "remove", "keep"]
_SIGNS: Mapping[Action, str] = {"create": "+", "change": "~", "remove": "-", "keep": "="}


@dataclass(frozen=True)
class Planned:
    """What would happen to one object; `changes` are its fields."""

    action: Action
    reference: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What an apply and a prune would do now."""

    objects: tuple[Planned, ...]

    @property
    def summary(self) -> str:
        """``2 to create, 1 to change, 0 to remove``."""
        count = Counter(one.action for one in self.objects)
        return f"{count['create']} to create, {count['change']} to change, {count['remove']} to remove"

    def lines(self) -> list[str]:
        """For the log: the summary, then each object with a sign, and below it its fields."""
        return [f"Plan: {self.summary}.", *(line for one in self.objects for line in _lines(one))]

    def as_xcom(self) -> dict[str, Any]:
        """Small JSON: the summary, and the objects by action; of those that change, the fields' paths."""
        found: dict[str, Any] = {"summary": self.summary}
        for action in ("create", "remove"):
            found[action] = _capped([one.reference for one in self.objects if one.action == action])
        changed = [one for one in self.objects if one.action == "change"][:_XCOM_ITEMS]
        found["change"] = {one.reference: _capped([change.path for change in one.changes]) for one in changed}
        return found


class Applier:
    """Applies objects of one model.

    Args:
        cluster: where.
        labels: of every object of this model; must hold `OWNERSHIP_LABELS`.
        force: take over fields and objects that belong to others.
    """

    def __init__(self, cluster: Cluster, labels: Mapping[str, str], force: bool = False) -> None:
        self._cluster, self._force = cluster, force
        self._ownership = {key: labels[key] for key in OWNERSHIP_LABELS}

    def plan(self, objects: Sequence[Mapping[str, Any]]) -> Plan:
        """What `apply` and `prune` would do; changes nothing. Raises as `apply`."""
        lives = self._checked(objects)
        planned = [self._planned(live, obj) for live, obj in zip(lives, objects, strict=True)]
        removed = [Planned("remove", reference(obj)) for obj in self._undeclared(objects)]
        return Plan((*planned, *removed))

    def apply(self, objects: Sequence[Mapping[str, Any]]) -> list[str]:
        """Apply each, in this order; returns the references of those that were made or changed.

        Raises:
            ConfigurationError: one of them exists and belongs to somebody else: nothing was applied; or fields do.
            Others as `Cluster.apply`.
        """
        lives, changed = self._checked(objects), []
        for live, obj in zip(lives, objects, strict=True):
            applied = self._apply(live, obj)
            if live is None or diff_objects(live, applied):
                changed.append(reference(obj))
        return changed

    def prune(self, objects: Sequence[Mapping[str, Any]]) -> list[str]:
        """Remove what carries our labels and is not among the declared `objects`; returns the removed references."""
        gone = []
        for obj in self._undeclared(objects):
            metadata = obj["metadata"]
            if self._cluster.delete(obj["kind"], metadata["name"], uid=metadata["uid"]):
                gone.append(reference(obj))
        return gone

    def _planned(self, live: Mapping[str, Any] | None, obj: Mapping[str, Any]) -> Planned:
        would_be = self._apply(live, obj, dry_run=True)
        if live is None:
            return Planned("create", reference(obj), tuple(diff_objects(None, obj)))
        changes = tuple(diff_objects(live, would_be))
        return Planned("change" if changes else "keep", reference(obj), changes)

    def _apply(
        self, live: Mapping[str, Any] | None, obj: Mapping[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Replicas that our own autoscaler has set are taken back where we declare them; other conflicts stay conflicts."""
        if self._force or live is None or not _sets_what_an_autoscaler_set(live, obj):
            return self._cluster.apply(obj, dry_run=dry_run, force=self._force)
        spec = {name: value for name, value in obj["spec"].items() if name != "replicas"}
        self._cluster.apply({**obj, "spec": spec}, dry_run=True)
        return self._cluster.apply(obj, dry_run=dry_run, force=True)

    def _checked(self, objects: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | None]:
        """What is live of each. Raises ConfigurationError: it is not ours."""
        lives = [self._cluster.find(str(obj["kind"]), str(obj["metadata"]["name"])) for obj in objects]
        for live in lives:
            if live is not None and not self._force and not self._is_ours(live):
                raise self._foreign(live)
        return lives

    def _is_ours(self, obj: Mapping[str, Any]) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(labels.get(key) == value for key, value in self._ownership.items())

    def _foreign(self, live: Mapping[str, Any]) -> ConfigurationError:
        labels = live["metadata"].get("labels") or {}
        has = ", ".join(f"{key}={labels[key]}" for key in OWNERSHIP_LABELS if key in labels) or "neither of our labels"
        name, value = OWNERSHIP_LABELS[1], self._ownership[OWNERSHIP_LABELS[1]]
        return ConfigurationError(
            "could not apply the manifest",
            on=self._cluster.on(reference(live)),
            why=f"it belongs to somebody else: it has {has}, not {name}={value}",
            fix="Choose another namespace or model name, or set deploy.kubernetes.force_conflicts: true to take it over.",
        )

    def _undeclared(self, objects: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        declared = {reference(obj) for obj in objects}
        for obj in (obj for kind in PRUNED_KINDS for obj in self._listed(kind)):
            metadata = obj["metadata"]
            # What another object owns is its controller's, which may have copied our labels (of a Gateway, say).
            left_alone = metadata.get("ownerReferences") or metadata.get("deletionTimestamp")
            if reference(obj) not in declared and not left_alone:
                yield obj

    def _listed(self, kind: str) -> list[dict[str, Any]]:
        try:
            return self._cluster.list(kind, self._ownership)
        except DeniedError as error:
            cause = error.__cause__
            if kind in OPTIONAL_KINDS and isinstance(cause, ApiError) and cause.status.code == 403:
                return []
            raise


def _sets_what_an_autoscaler_set(live: Mapping[str, Any], obj: Mapping[str, Any]) -> bool:
    wanted, there = obj.get("spec", {}).get("replicas"), live.get("spec", {}).get("replicas")
    others = set(field_owners(live, ("spec", "replicas"))) - {MANAGER}
    return wanted not in {None, there} and others == {_AUTOSCALER}


def _lines(planned: Planned) -> Iterator[str]:
    yield f"{_SIGNS[planned.action]} {planned.reference}"
    for change in planned.changes:
        if planned.action == "create":
            yield f"    {change.path}: {_value(change.after)}"
        else:
            yield f"    {change.path}: {_value(change.before)} -> {_value(change.after)}"


def _value(value: Any) -> str:
    text = "(none)" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _capped(items: list[str]) -> list[str]:
    more = len(items) - _XCOM_ITEMS
    return [*items[:_XCOM_ITEMS], f"and {more} more"] if more > 0 else items
