"""A namespace of a Kubernetes cluster, as plain dicts.

Objects are read and written as the API's own JSON, never through the client's generated classes: what those do not know
would be lost on the way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from slipway.cluster.errors import missing_api, translate
from slipway.cluster.patience import Patience
from slipway.cluster.resources import OPTIONAL_KINDS, RESOURCES, Resource, reference, resource_of
from slipway.cluster.status import ApiError, NoAnswerError, shown
from slipway.cluster.transport import APPLY_PATCH, Request, Transport
from slipway.core.errors import AbsentError, ConfigurationError

MANAGER = "slipway"
"""Our field manager."""

Object = dict[str, Any]
Objects = list[Object]

PAGE = 250
_LOG_BYTES = 1 << 16


class Cluster:
    """One namespace of a cluster. Constructing it does nothing: the first call connects.

    All methods raise DeniedError, UnavailableError (after the patience is over) and the others that `errors.translate`
    tells; AbsentError and ConfigurationError as said.

    Args:
        client: a `kubernetes` ApiClient, or a function that makes it.
        namespace: where everything happens.
        name: what texts call the cluster, e.g. the connection's id.
        patience: how long to ask an API that does not answer, or asks to wait; 30 seconds.
        clock, sleep: for tests.
    """

    def __init__(
        self,
        client: Any,
        namespace: str,
        name: str = "cluster",
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.namespace, self.name = namespace, name
        self._transport = Transport(client, patience=patience, clock=clock, sleep=sleep)

    @property
    def client(self) -> Any:
        """The ApiClient that is used; makes it. Raises as `ClusterHook.cluster`'s first call."""
        return self._transport.client

    def find(self, kind: str, name: str) -> Object | None:
        """The object, or None: there is none."""
        resource = RESOURCES[kind]
        with self._translated(f"could not read the {kind}", self.on(f"{kind}/{name}")):
            try:
                return self._json(Request("GET", resource.path(self.namespace, name)))
            except ApiError as error:
                if error.status.code == 404:
                    return None
                raise

    def get(self, kind: str, name: str) -> Object:
        """The object. Raises AbsentError: there is none."""
        obj = self.find(kind, name)
        if obj is None:
            fix = f"`kubectl get {RESOURCES[kind].qualified} -n {self.namespace}` shows those that exist."
            raise AbsentError(
                f"could not read the {kind}", on=self.on(f"{kind}/{name}"), why="it does not exist", fix=fix
            )
        return obj

    def list(self, kind: str, labels: Mapping[str, str] | None = None) -> Objects:
        """All objects that have these labels; [] where the cluster does not know an optional kind.

        Raises:
            ConfigurationError: the cluster does not know a kind that every cluster has.
        """
        failed = f"could not list the {kind}s"
        with self._translated(failed, self.on(kind)):
            try:
                return self._whole(kind, labels or {})
            except ApiError as error:
                if error.status.code == 404 and kind in OPTIONAL_KINDS:
                    return []
                if error.status.code == 404:
                    raise missing_api(RESOURCES[kind], failed, self.on(kind)) from error
                raise

    def apply(self, obj: Mapping[str, Any], *, dry_run: bool = False, force: bool = False) -> Object:
        """Server-side apply; returns the object as it is now, or would be.

        Args:
            obj: what we declare; fields that we declared before and no longer do are given up.
            dry_run: the API answers as if, and keeps nothing.
            force: take over fields that belong to others.

        Raises:
            ConfigurationError: fields belong to others (names them), the object is invalid, or its API is not there.
            AbsentError: the namespace does not exist.
            RejectedError: the cluster's own rules say no.
        """
        resource, failed = resource_of(obj), f"could not {'try to ' if dry_run else ''}apply the manifest"
        on, body = self.on(reference(obj)), self._declared(obj)
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        query |= ({"dryRun": "All"} if dry_run else {}) | ({"force": "true"} if force else {})
        path = resource.path(self.namespace, str(body["metadata"]["name"]))
        with self._translated(failed, on):
            try:
                return self._json(Request("PATCH", path, query, body, APPLY_PATCH))
            except ApiError as error:
                if error.status.is_unknown_kind:
                    raise missing_api(resource, failed, on) from error
                raise

    def delete(self, kind: str, name: str, *, uid: str | None = None) -> bool:
        """Delete the object, and in the background what it owns; False: it was not there.

        Raises:
            ConflictError: its uid is another: somebody made it anew.
        """
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        body |= {"preconditions": {"uid": uid}} if uid else {}
        with self._translated(f"could not delete the {kind}", self.on(f"{kind}/{name}")):
            try:
                self._transport.send(Request("DELETE", RESOURCES[kind].path(self.namespace, name), body=body))
            except ApiError as error:
                if error.status.code == 404:
                    return False
                raise
        return True

    def logs(self, pod: str, container: str, *, previous: bool = False, lines: int = 20) -> str:
        """The last lines of a container, at most 64 KiB; "" where it has none, or the pod is gone.

        Args:
            previous: of the container's last life before this one: what a crashed one said.
        """
        query = {"container": container, "tailLines": str(lines), "limitBytes": str(_LOG_BYTES)}
        query |= {"previous": "true"} if previous else {}
        path = RESOURCES["Pod"].path(self.namespace, pod, "log")
        with self._translated("could not read the logs", self.on(f"Pod/{pod}")):
            try:
                return self._transport.send(Request("GET", path, query, accept="*/*")).decode("utf-8", "replace")
            except ApiError as error:
                if error.status.code in {400, 404}:  # waiting to start, never ended before, gone
                    return ""
                raise

    def can_i(self, verb: str, group: str, resource: str, subresource: str = "") -> bool:
        """Whether our identity may do that in the namespace."""
        asked = {"namespace": self.namespace, "verb": verb, "group": group, "resource": resource}
        asked |= {"subresource": subresource} if subresource else {}
        review = RESOURCES["SelfSubjectAccessReview"]
        body = {"apiVersion": review.api_version, "kind": review.kind, "spec": {"resourceAttributes": asked}}
        with self._translated("could not ask what we may do", self.on(f"{verb} {resource}")):
            answer = self._json(Request("POST", review.path(self.namespace), body=body))
        return bool(answer.get("status", {}).get("allowed"))

    def version(self) -> str:
        """Of the cluster, e.g. ``v1.34.1``."""
        with self._translated("could not reach the cluster", self.name):
            return str(self._json(Request("GET", "/version"))["gitVersion"])

    def on(self, what: str) -> str:
        """How texts name something in this namespace: ``Deployment/iris in models (kubernetes_default)``."""
        return f"{what} in {self.namespace} ({self.name})"

    def _declared(self, obj: Mapping[str, Any]) -> Object:
        metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
        if metadata.setdefault("namespace", self.namespace) != self.namespace:
            raise ConfigurationError(
                "could not use the manifest",
                on=self.on(reference(obj)),
                why=f"it is for the namespace {metadata['namespace']}",
                fix="Leave metadata.namespace out; deploy.kubernetes.namespace says it.",
            )
        return {**obj, "metadata": metadata}

    def _whole(self, kind: str, labels: Mapping[str, str]) -> Objects:
        """In pages; in one piece if what the pages are of expires again and again."""
        query = {"labelSelector": selector(labels)} if labels else {}
        for limit in ({"limit": str(PAGE)},) * 3:
            try:
                return list(self._pages(kind, query | limit))
            except ApiError as error:
                if error.status.code != 410:
                    raise
        return list(self._pages(kind, query))

    def _pages(self, kind: str, query: dict[str, str]) -> Iterator[Object]:
        resource = RESOURCES[kind]
        while True:
            answer = self._json(Request("GET", resource.path(self.namespace), query))
            yield from named_items(answer, resource)
            token = answer.get("metadata", {}).get("continue")
            if not token:
                return
            query["continue"] = token

    def _json(self, request: Request) -> Object:
        return read_json(self._transport.send(request))

    @contextmanager
    def _translated(self, failed: str, on: str) -> Iterator[None]:
        try:
            yield
        except (ApiError, NoAnswerError) as error:
            raise translate(error, failed, on) from error


def read_json(body: bytes) -> Object:
    """An answer's object. Raises NoAnswerError: something else answered, e.g. a log-in page in between."""
    try:
        answer: Object = json.loads(body)
    except ValueError as error:
        text = shown(body[:200].decode("utf-8", "replace"))
        raise NoAnswerError(f"what answered is not the Kubernetes API: it said {text!r}") from error
    return answer


def selector(labels: Mapping[str, str]) -> str:
    """As the API takes it: ``a=b,c=d``."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def named_items(answer: Mapping[str, Any], resource: Resource) -> Objects:
    """Items of a list; the API leaves out of each what the list is of."""
    return [{"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in answer.get("items") or []]
