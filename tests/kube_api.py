"""A scripted Kubernetes API on a socket: kmock's server in a thread, for the real clients to talk to.

It answers what a test says, and keeps plain objects otherwise. It is no cluster: nothing happens to what it keeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import kmock
from aiohttp import web

NAMESPACE = "models"

_PATH = re.compile(
    r"/(?P<api>api/v1|apis/[^/]+/[^/]+)/namespaces/(?P<namespace>[^/]+)/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?"
)


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; a dict is sent as JSON, bytes as plain text."""

    status: int = 200
    body: Mapping[str, Any] | bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        if isinstance(self.body, bytes):
            return web.Response(
                body=self.body, status=self.status, headers=dict(self.headers), content_type="text/plain"
            )
        return web.json_response(self.body, status=self.status, headers=dict(self.headers))


def status(
    code: int,
    reason: str,
    message: str,
    *,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """An error as the API server writes it."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    body |= {"reason": reason, "details": dict(details or {}), "code": code}
    return Reply(code, body, headers or {})


def not_found(plural: str, name: str, group: str = "") -> Reply:
    """As for an object, or a namespace, that does not exist."""
    details = {"name": name, "kind": plural} | ({"group": group} if group else {})
    return status(404, "NotFound", f'{plural}{"." if group else ""}{group} "{name}" not found', details=details)


UNKNOWN_KIND = Reply(404, b"404 page not found\n")

Handler = Callable[[kmock.Request], Awaitable[web.StreamResponse]]
Answer = Reply | Mapping[str, Any] | Handler


class KubeApi(kmock.RawHandler):
    """`on` scripts answers; `put` and `objects` hold objects by path, of which labels, pages and applies are understood."""

    def __init__(self) -> None:
        super().__init__()
        self.address = ""
        self.asked: list[kmock.Request] = []
        self.objects: dict[str, dict[str, Any]] = {}
        self.unknown_kinds: set[str] = set()
        self.page_size: int | None = None
        self._scripts: dict[tuple[str, str], list[Answer]] = {}
        self._versions = 100
        self._tasks: set[asyncio.Task[Any]] = set()

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer these requests with `answers`, one after the other; the last stays. `path` is without the query."""
        self._scripts[method.lower(), path] = list(answers)

    def put(self, path: str, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Keep an object, as if somebody else had made it."""
        self._versions += 1
        made = {"uid": f"uid-{self._versions}", "namespace": NAMESPACE, "name": path.rsplit("/", 1)[1]}
        metadata = made | dict(obj.get("metadata", {})) | {"resourceVersion": str(self._versions)}
        self.objects[path] = {**obj, "metadata": metadata}
        return self.objects[path]

    def requests(self, method: str, part: str = "") -> list[kmock.Request]:
        """Those so far, whose path holds `part`."""
        return [one for one in self.asked if one.method.value.lower() == method.lower() and part in one.url.path]

    async def __call__(self, raw_request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            return await super().__call__(raw_request)
        finally:
            self._tasks.discard(task)

    async def _handle(self, request: kmock.Request) -> web.StreamResponse:
        self.asked.append(request)
        script = self._scripts.get((request.method.value.lower(), request.url.path))
        answer = self._kept(request) if script is None else script.pop(0) if len(script) > 1 else script[0]
        if callable(answer):
            return await answer(request)
        return (answer if isinstance(answer, Reply) else Reply(200, answer)).response()

    def _kept(self, request: kmock.Request) -> Reply | Mapping[str, Any]:
        parts = _PATH.fullmatch(request.url.path)
        if parts is None or parts["plural"] in self.unknown_kinds:
            return UNKNOWN_KIND
        group = parts["api"].split("/")[1] if parts["api"] != "api/v1" else ""
        if request.method.value == "PATCH":
            return self._apply(request)
        if parts["name"] is None:
            return self._list(request)
        obj = self.objects.get(request.url.path)
        if obj is None:
            return not_found(parts["plural"], parts["name"], group)
        return self._delete(request, obj) if request.method.value == "DELETE" else obj

    def _list(self, request: kmock.Request) -> dict[str, Any]:
        wanted = [pair.split("=") for pair in request.params.get("labelSelector", "").split(",") if pair]
        items = [
            {key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}}
            for path, obj in sorted(self.objects.items())
            if path.rpartition("/")[0] == request.url.path
            and all(obj["metadata"].get("labels", {}).get(key) == value for key, value in wanted)
        ]
        start, size = int(request.params.get("continue", "0")), self.page_size or len(items) or 1
        metadata = {"resourceVersion": str(self._versions)}
        if start + size < len(items):
            metadata |= {"continue": str(start + size), "remainingItemCount": str(len(items) - start - size)}
        return {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items[start : start + size]}

    def _apply(self, request: kmock.Request) -> Reply | dict[str, Any]:
        path, sent = request.url.path, json.loads(request.body)
        live = self.objects.get(path)
        merged = _merged(live or {}, sent)
        if live is not None and merged == live:
            return live
        if request.params.get("dryRun") == "All":
            return Reply(200 if live else 201, merged)
        return Reply(200 if live else 201, self.put(path, merged))

    def _delete(self, request: kmock.Request, obj: Mapping[str, Any]) -> Reply:
        uid = (request.data or {}).get("preconditions", {}).get("uid")
        if uid and uid != obj["metadata"]["uid"]:
            name = obj["metadata"]["name"]
            said = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {obj['metadata']['uid']}"
            return status(409, "Conflict", f'Operation cannot be fulfilled on "{name}": {said}', details={"name": name})
        del self.objects[request.url.path]
        return Reply(200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})


def _merged(live: Any, sent: Any) -> Any:
    if isinstance(live, dict) and isinstance(sent, dict):
        return live | {key: _merged(live.get(key), value) for key, value in sent.items()}
    return sent


@contextlib.contextmanager
def kube_api() -> Iterator[KubeApi]:
    """The API, until the block ends; what still runs is cut then."""
    started: Future[tuple[KubeApi, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(started)), daemon=True)
    thread.start()
    api, loop, over = started.result(10)
    try:
        yield api
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)


async def _serve(started: Future[tuple[KubeApi, asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    over = asyncio.Event()
    try:
        async with KubeApi() as api, kmock.Server(api) as server:
            api.address = str(server.url).rstrip("/")
            started.set_result((api, asyncio.get_running_loop(), over))
            await over.wait()
            for task in list(api._tasks):
                task.cancel()
    except Exception as error:
        if started.done():
            raise
        started.set_exception(error)


def api_client(api: KubeApi, token: str = "token-of-slipway") -> Any:
    """The official client's ApiClient for it."""
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration(host=api.address)
    configuration.api_key = {"BearerToken": f"Bearer {token}"}
    return ApiClient(configuration)


def kubeconfig(api: KubeApi, token: str = "token-of-slipway") -> dict[str, Any]:
    """For it, as a connection's extra `kube_config` holds it."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": api.address}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": NAMESPACE}}],
    }


def raw(request: kmock.Request) -> web.BaseRequest:
    """aiohttp's request, for answers that stream or are websockets."""
    found = request._raw_request
    assert found is not None
    return found
