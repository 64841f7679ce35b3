"""The API over HTTP: who asks, what for, and the answer in the real server's shape."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable
from typing import Any

import kmock
from aiohttp import web

from tests.cluster import listing, logs, portforward, scaling, status
from tests.cluster.calls import Call
from tests.cluster.deletion import Deletion
from tests.cluster.discovery import Discovery
from tests.cluster.faults import Fault, Faults, Seen
from tests.cluster.kinds import KINDS
from tests.cluster.queries import flag
from tests.cluster.rbac import Action, Authoriser, Tokens, User
from tests.cluster.registry import APPLY, Registry, Write
from tests.cluster.routing import find_route
from tests.cluster.status import StatusError
from tests.cluster.store import Store
from tests.cluster.watching import Watches

Object = dict[str, Any]


class Api(kmock.RawHandler):  # type: ignore[misc]
    """Serves a Store as the API of a cluster."""

    def __init__(
        self,
        store: Store,
        *,
        discovery: Discovery,
        authoriser: Authoriser,
        tokens: Tokens,
        bookmark_seconds: float = 10,
    ) -> None:
        super().__init__(strict=True)
        self.store = store
        self.kubelet: logs.Kubelet = logs.NoKubelet()
        self.seen: list[Seen] = []
        self.watches = Watches(store, bookmark_seconds=bookmark_seconds)
        self.faults = Faults(store.compact, self._cut_watches)
        self._registry, self._deletion = Registry(store), Deletion(store)
        self._discovery, self._authoriser, self._tokens = discovery, authoriser, tokens
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy: list[asyncio.Transport] = []

    async def __aenter__(self) -> Api:
        self._loop = asyncio.get_running_loop()
        self._unsubscribe = self.store.subscribe(self._notice)
        await super().__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._unsubscribe()
        await super().__aexit__(*error)

    def _notice(self, _: str, __: Object) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.watches.wake)

    def _cut_watches(self) -> int:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(_call(self.watches.cut), self._loop).result(10)

    # ------------------------------------------------------------------------------------------------ every request

    async def __call__(self, raw: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; what the stand-in itself does wrong is a 500 now, and raised when it ends."""
        transport = raw.transport
        assert transport is not None
        self._busy.append(transport)
        try:
            return await self._answer(raw, await raw.read())
        finally:
            self._busy.remove(transport)

    def abort(self) -> None:
        """In the server's loop: close the connections of all requests that are not answered yet."""
        for transport in self._busy:
            transport.abort()

    async def _answer(self, raw: web.BaseRequest, body: bytes) -> web.StreamResponse:
        seen = Seen(raw.method, raw.path, dict(raw.query))
        self.seen.append(seen)
        try:
            fault = self.faults.pop(seen)
            if fault:
                return self._fail(raw, fault)
            return await self._route(raw, body, seen)
        except StatusError as error:
            return web.json_response(error.status(), status=error.code, headers=error.headers)
        except ConnectionError:
            raise
        except Exception as error:
            self.errors.append(error)
            failure = StatusError(500, f"Internal error occurred: {error!r}")
            return web.json_response(failure.status(), status=500)

    @staticmethod
    def _fail(raw: web.BaseRequest, fault: Fault) -> web.StreamResponse:
        if fault.error is not None:
            raise fault.error
        if raw.transport is not None:
            raw.transport.abort()
        return web.Response()

    async def _route(self, raw: web.BaseRequest, body: bytes, seen: Seen) -> web.StreamResponse:
        user = self._tokens.user(raw.headers)
        route = find_route(seen.path)
        if route is None:
            self._authoriser.check_path(user, seen.path)
            return self._document(seen.path)
        action = route.action(seen.method, seen.query)
        self._authoriser.check(user, action)
        kind = route.kind
        if kind is None or not self._discovery.knows(kind) or kind.namespaced < (route.namespace is not None):
            return _page_not_found()
        if route.subresource and route.subresource not in kind.subresources:
            return _page_not_found()
        return await self._serve(Call(raw, body, seen.query, user, route, kind, action))

    def _document(self, path: str) -> web.Response:
        if path in {"/healthz", "/readyz", "/livez"}:
            return web.Response(text="ok")
        found = self._discovery.find(path)
        return _page_not_found() if found is None else web.json_response(found)

    # ------------------------------------------------------------------------------------------------------- verbs

    async def _serve(self, call: Call) -> web.StreamResponse:
        if call.route.subresource in {"log", "portforward", "eviction"}:
            return await self._serve_pod(call)
        if call.action.verb == "watch":
            return await self._watch(call)
        verbs: dict[str, Callable[[Call], web.Response]] = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._deletion.delete,
            "deletecollection": self._deletion.delete_collection,
        }
        serve = verbs.get(call.action.verb)
        misfit = call.action.verb == "create" and call.route.name
        if serve is None or misfit or (call.kind.create_only and serve != self._create):
            raise StatusError(405, "the server does not allow this method on the requested resource")
        return serve(call)

    def _get(self, call: Call) -> web.Response:
        found = self.store.get(call.kind.name, call.namespace, call.route.name)
        return web.json_response(scaling.scale_of(found) if call.route.subresource == "scale" else found)

    def _list(self, call: Call) -> web.Response:
        return web.json_response(listing.list_objects(self.store, call.kind, call.route.namespace, call.query))

    async def _watch(self, call: Call) -> web.StreamResponse:
        test = listing.selection_of(call.kind, call.query, call.route.name)
        return await self.watches.serve(call.raw, call.kind, call.route.namespace, test, call.query)

    def _create(self, call: Call) -> web.Response:
        body = call.parsed()
        if call.kind.name == "SelfSubjectAccessReview":
            return web.json_response(self._review(call.user, body), status=201)
        write = self._write(call)
        made = self._registry.create(call.kind, call.namespace, body, write)
        return _answer(made, write, 201)

    def _update(self, call: Call) -> web.Response:
        write = self._write(call)
        stored = self._registry.replace(call.kind, call.namespace, call.route.name, call.parsed(), write)
        return _answer(stored, write, 200)

    def _patch(self, call: Call) -> web.Response:
        write, body = self._write(call), call.parsed()
        target = call.kind, call.namespace, call.route.name
        if call.raw.content_type == APPLY:
            write.manager = call.query.get("fieldManager", "")
            applied, made = self._registry.apply(*target, body, write)
            return _answer(applied, write, 201 if made else 200)
        return _answer(self._registry.patch(*target, call.raw.content_type, body, write), write, 200)

    def _write(self, call: Call) -> Write:
        agent = call.raw.headers.get("User-Agent", "").partition("/")[0]
        may_create = Action("create", call.route.group, call.route.plural, "", call.namespace, call.route.name)
        return Write(
            manager=call.query.get("fieldManager") or agent or "unknown",
            dry_run=call.dry_run,
            force=flag(call.query, "force"),
            validation=call.query.get("fieldValidation") or "Warn",
            subresource=call.route.subresource,
            may_create=functools.partial(self._authoriser.check, call.user, may_create),
        )

    def _review(self, user: User, body: Any) -> Object:
        """A SelfSubjectAccessReview, answered."""
        asked = ((body or {}).get("spec") or {}).get("resourceAttributes")
        if not asked:
            why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            cause = ("FieldValueInvalid", "spec.resourceAttributes", f"Invalid value: null: {why}")
            raise status.invalid(KINDS["SelfSubjectAccessReview"], "", [cause])
        names = ("verb", "group", "resource", "subresource", "namespace", "name")
        allowed = self._authoriser.allows(user, Action(*(asked.get(name) or "" for name in names)))
        return {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "spec": body["spec"],
            "status": {"allowed": allowed},
        }

    # -------------------------------------------------------------------------------------------------------- pods

    async def _serve_pod(self, call: Call) -> web.StreamResponse:
        pod = self.store.get("Pod", call.namespace, call.route.name)
        if call.route.subresource == "log":
            return await logs.serve(call.raw, self.store, self.kubelet, pod, call.query)
        if call.route.subresource == "eviction":
            return self._deletion.evict(call, pod)
        if not pod["spec"].get("nodeName"):
            raise StatusError(400, f"pod {pod['metadata']['name']} does not have a host assigned")
        if call.raw.headers.get("Upgrade", "").lower() != "websocket":
            raise StatusError(400, "Upgrade request required")
        # A WebSocket is opened by a GET; since 1.35 the right to create is asked for, too.
        self._authoriser.check(call.user, call.route.action("POST", {}))
        numbers = [int(port) for text in call.raw.query.getall("ports", []) for port in text.split(",")]
        return await portforward.serve(call.raw, numbers, lambda port: self.kubelet.open_port(pod, port))


async def _call(function: Callable[[], int]) -> int:
    return function()


def _answer(obj: Object, write: Write, code: int) -> web.Response:
    response = web.json_response(obj, status=code)
    for warning in write.warnings:
        response.headers.add("Warning", f"299 - {json.dumps(warning)}")
    return response


def _page_not_found() -> web.Response:
    return web.Response(text="404 page not found\n", status=404)
