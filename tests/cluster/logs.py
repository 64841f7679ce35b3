"""The log subresource of pods."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

from tests.cluster.queries import flag
from tests.cluster.status import StatusError
from tests.cluster.store import Store

Object = dict[str, Any]
POLL_SECONDS = 0.1


class Kubelet(Protocol):
    """What runs the pods, and knows what they write and where their ports are."""

    def logs(self, pod: Object, container: str = "", *, previous: bool = False) -> str:
        """What a container has written. Raises StatusError 400."""
        ...

    def open_port(self, pod: Object, port: int) -> tuple[str, int]:
        """Where a port of a pod can be reached. Raises StatusError."""
        ...


class NoKubelet:
    """The kubelet of a cluster that runs nothing."""

    def logs(self, pod: Object, container: str = "", *, previous: bool = False) -> str:
        """Nothing."""
        raise StatusError(400, f"pod {pod['metadata']['name']} does not have a host assigned")

    def open_port(self, pod: Object, port: int) -> tuple[str, int]:
        """Nothing."""
        raise StatusError(400, f"pod {pod['metadata']['name']} does not have a host assigned")


def container_of(pod: Object, asked: str) -> str:
    """The container that a request is about. Raises StatusError 400 where it must be named, or there is none such."""
    meta, spec = pod["metadata"], pod["spec"]
    names = [one["name"] for one in spec["containers"]]
    inits = [one["name"] for one in spec.get("initContainers") or []]
    if asked:
        if asked not in {*names, *inits}:
            raise StatusError(400, f"container {asked} is not valid for pod {meta['name']}")
        return asked
    default = (meta.get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    if default in names:
        return str(default)
    if len(names) > 1:
        text = f"a container name must be specified for pod {meta['name']}, choose one of: [{' '.join(names)}]"
        raise StatusError(400, text)
    return str(names[0])


async def serve(
    request: web.BaseRequest, store: Store, kubelet: Kubelet, pod: Object, query: Mapping[str, str]
) -> web.StreamResponse:
    """Answer with what a container wrote; with `follow` also with what it writes until it ends."""
    container = container_of(pod, query.get("container", ""))
    if not pod["spec"].get("nodeName"):
        raise StatusError(400, f"pod {pod['metadata']['name']} does not have a host assigned")
    previous = flag(query, "previous")

    async def read() -> str:
        call = asyncio.get_running_loop().run_in_executor(None, lambda: kubelet.logs(pod, container, previous=previous))
        return await call

    text = await read()
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    first = _shortened(text, query)
    await response.prepare(request)
    await response.write(_stamped(first, store, query))
    while flag(query, "follow") and _is_running(store, pod, container):
        await asyncio.sleep(POLL_SECONDS)
        try:
            newer = await read()
        except StatusError:
            break
        await response.write(_stamped(newer[len(text) :], store, query))
        text = newer
    return response


def _shortened(text: str, query: Mapping[str, str]) -> str:
    if "tailLines" in query:
        count = int(query["tailLines"])
        text = "".join(text.splitlines(keepends=True)[-count:]) if count else ""
    if "limitBytes" in query:
        text = text.encode()[: int(query["limitBytes"])].decode(errors="ignore")
    return text


def _stamped(text: str, store: Store, query: Mapping[str, str]) -> bytes:
    """Lines with a time before each, where that is asked for; the time is that of reading."""
    if not flag(query, "timestamps"):
        return text.encode()
    now = store.clock().strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    return "".join(f"{now} {line}" for line in text.splitlines(keepends=True)).encode()


def _is_running(store: Store, pod: Object, container: str) -> bool:
    found = store.find("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
    if found is None or found["metadata"]["uid"] != pod["metadata"]["uid"]:
        return False
    status = found.get("status") or {}
    states = [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]
    return any(one["name"] == container and "running" in (one.get("state") or {}) for one in states)
