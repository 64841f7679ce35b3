"""The Deployment controller: one ReplicaSet for each pod template, rolled from the old to the new."""

from __future__ import annotations

import copy
import hashlib
import json

from tests.cluster.deployment_status import deployment_status, set_condition
from tests.cluster.events import Recorder
from tests.cluster.owners import is_active, is_ending, owned, owner_reference
from tests.cluster.rolling import bounds, replicas_of, size_of_new, sizes_of_old
from tests.cluster.status import StatusError
from tests.cluster.store import Object, Store

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_DESIRED, _MOST = "deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = {REVISION, "kubectl.kubernetes.io/last-applied-configuration", "deprecated.deployment.rollback.to"}
LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: a hash that spells nothing
MANAGER = "kube-controller-manager"


class Deployments:
    """Brings every Deployment one step nearer to what it says, each time `sync` is called."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events = Recorder(store, "deployment-controller")

    def sync(self) -> None:
        for deployment in self._store.list("Deployment"):
            if not is_ending(deployment):
                self._sync(deployment)

    def _sync(self, deployment: Object) -> None:
        replica_sets = owned(self._store, "ReplicaSet", deployment)
        new = next((each for each in replica_sets if _template(each) == deployment["spec"]["template"]), None)
        old = [each for each in replica_sets if each is not new]
        if deployment["spec"].get("strategy", {}).get("type") == "Recreate":
            new, old = self._recreate(deployment, new, old)
        else:
            new, old = self._roll(deployment, new, old)
        if new is not None:
            deployment = self._revised(deployment, new)
            self._forget_history(deployment, new, old)
        self._write_status(deployment, deployment_status(deployment, new, old, self._store.clock()))

    def _roll(self, deployment: Object, new: Object | None, old: list[Object]) -> tuple[Object | None, list[Object]]:
        new = self._ensure_new(deployment, new, old)
        if new is None:
            return None, old
        sizes = sizes_of_old(deployment, new, old)
        return new, [self._scale(deployment, each, size) for each, size in zip(old, sizes, strict=True)]

    def _recreate(
        self, deployment: Object, new: Object | None, old: list[Object]
    ) -> tuple[Object | None, list[Object]]:
        """The old pods are ended, and gone, before there is a new one."""
        old = [self._scale(deployment, each, 0) for each in old]
        left = [pod for each in old for pod in owned(self._store, "Pod", each)]
        if any(is_active(pod) or is_ending(pod) for pod in left):
            return new, old
        return self._ensure_new(deployment, new, old), old

    def _ensure_new(self, deployment: Object, new: Object | None, old: list[Object]) -> Object | None:
        size = size_of_new(deployment, new, old)
        if new is not None:
            newest = max((revision(each) for each in old), default=0)
            return self._scale(deployment, new, size, at_revision=max(newest + 1, revision(new)))
        made = _replica_set(deployment, size, max((revision(each) for each in old), default=0) + 1)
        name = made["metadata"]["name"]
        try:
            new = self._store.create(made, manager=MANAGER)
        except StatusError as error:
            text = f'Failed to create new replica set "{name}": {error}'
            self._events.record(deployment, "ReplicaSetCreateError", text, warning=True)
            self._note_progress(deployment, "False", "ReplicaSetCreateError", text)
            return None
        self._note_progress(deployment, "True", "NewReplicaSetCreated", f'Created new replica set "{name}"')
        if size:
            self._events.record(deployment, "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}")
        return new

    def _scale(self, deployment: Object, replica_set: Object, size: int, *, at_revision: int | None = None) -> Object:
        """The ReplicaSet with that many replicas, and annotated with what the Deployment wants."""
        before, name = replicas_of(replica_set), replica_set["metadata"]["name"]
        wanted = copy.deepcopy(replica_set)
        wanted["spec"]["replicas"] = size
        notes = wanted["metadata"].setdefault("annotations", {})
        if at_revision is not None:
            notes |= _annotations(deployment, at_revision)
        if size or before:
            notes |= _wish(deployment)
        if wanted == replica_set:
            return replica_set
        wanted = self._store.put(wanted, manager=MANAGER)
        if size != before:
            way = "up" if size > before else "down"
            text = f"Scaled {way} replica set {name} from {before} to {size}"
            self._events.record(deployment, "ScalingReplicaSet", text)
        return wanted

    def _revised(self, deployment: Object, new: Object) -> Object:
        """The Deployment, annotated with the revision of its new ReplicaSet: no new generation, as it is a status write."""
        if deployment["metadata"].get("annotations", {}).get(REVISION) == str(revision(new)):
            return deployment
        deployment["metadata"].setdefault("annotations", {})[REVISION] = str(revision(new))
        return self._store.put(deployment, subresource="status", manager=MANAGER)

    def _note_progress(self, deployment: Object, status: str, reason: str, message: str) -> None:
        if "progressDeadlineSeconds" not in deployment["spec"]:
            return
        conditions = deployment.setdefault("status", {}).setdefault("conditions", [])
        set_condition(conditions, "Progressing", status, reason, message, now=self._store.clock())
        deployment |= self._store.put(deployment, subresource="status", manager=MANAGER)

    def _write_status(self, deployment: Object, status: Object) -> None:
        if deployment.get("status") != status:
            self._store.put(deployment | {"status": status}, subresource="status", manager=MANAGER)

    def _forget_history(self, deployment: Object, new: Object, old: list[Object]) -> None:
        if new.get("status", {}).get("availableReplicas", 0) != deployment["spec"].get("replicas", 1):
            return
        idle = [each for each in old if not replicas_of(each) and not each.get("status", {}).get("replicas", 0)]
        keep = deployment["spec"].get("revisionHistoryLimit", 10)
        for each in sorted(idle, key=revision)[: max(0, len(idle) - keep)]:
            self._store.delete("ReplicaSet", each["metadata"]["namespace"], each["metadata"]["name"])
            old.remove(each)


def revision(replica_set: Object) -> int:
    return int(replica_set["metadata"].get("annotations", {}).get(REVISION, 0))


def template_hash(template: Object) -> str:
    """Ten letters that stand for a pod template."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:10])


def _template(replica_set: Object) -> Object:
    """The pod template as the Deployment has it: without the hash."""
    template: Object = copy.deepcopy(replica_set["spec"]["template"])
    template["metadata"].get("labels", {}).pop(HASH, None)
    return template


def _wish(deployment: Object) -> dict[str, str]:
    limits = bounds(deployment)
    return {_DESIRED: str(limits.desired), _MOST: str(limits.most)}


def _annotations(deployment: Object, at_revision: int) -> dict[str, str]:
    own = deployment["metadata"].get("annotations", {})
    return {key: value for key, value in own.items() if key not in _NOT_COPIED} | {REVISION: str(at_revision)}


def _replica_set(deployment: Object, size: int, at_revision: int) -> Object:
    meta, spec = deployment["metadata"], deployment["spec"]
    template = copy.deepcopy(spec["template"])
    hashed = {HASH: template_hash(template)}
    labels = template.setdefault("metadata", {}).get("labels", {}) | hashed
    template["metadata"]["labels"] = labels
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = selector.get("matchLabels", {}) | hashed
    more = {"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name']}-{hashed[HASH]}",
            "namespace": meta["namespace"],
            "labels": dict(labels),
            "annotations": _annotations(deployment, at_revision) | _wish(deployment),
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {"replicas": size, "selector": selector, "template": template, **more},
    }
