"""The part of Kubernetes that a training pod meets: an API on a socket, and a kubelet that runs the pod's command for real.

The API is kmock's server with pods of its own, and denies all that the documented Role does not grant. The kubelet runs the
container as a process of this machine, with the environment that the pod has and nothing else of ours.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp.web
import kmock

ROOT = Path(__file__).parents[3]
# What the documented Role for training pods grants; the API refuses all else.
GRANTED = {
    *((verb, "pods") for verb in ("create", "get", "list", "watch", "patch", "delete")),
    ("get", "pods/log"),
    ("list", "events"),
}
POD_PATH = re.compile(
    r"/api/v1/namespaces/(?P<namespace>[^/]+)/(?P<kind>pods|events)(/(?P<name>[^/]+))?(/(?P<sub>log))?"
)

Kubelet = Callable[[dict[str, Any]], None]


class PodApi(kmock.KubernetesScaffold):
    """Pods, their logs and events, for who may do what `GRANTED` says.

    `refusals` maps a verb to the answer (status, message) that it gets instead; while `answers` is not set, who creates a pod
    is not told so.
    """

    def __init__(self, kubelet: Kubelet) -> None:
        super().__init__()
        self.kubelet = kubelet
        self.pods: dict[str, dict[str, Any]] = {}
        self.log: dict[str, bytes] = {}
        self.created: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.refusals: dict[str, tuple[int, str]] = {}
        self.has_created, self.answers = threading.Event(), threading.Event()
        self.answers.set()

    async def _handle(self, request: kmock.Request) -> aiohttp.web.StreamResponse:
        match = POD_PATH.fullmatch(request.url.path)
        if match is None:
            return _status(404, f"no such path: {request.url.path}")
        verb, kind = _verb(request, match["name"]), match["kind"] + (f"/{match['sub']}" if match["sub"] else "")
        if refusal := self._find_refusal(verb, kind):
            return refusal
        if kind == "events":
            return _json({"kind": "EventList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []})
        if match["name"]:
            return self._of_one(request, "log" if match["sub"] else verb, match["name"])
        answer: aiohttp.web.Response = getattr(self, f"_{verb}")(request)
        if verb == "create":
            await asyncio.to_thread(self.answers.wait, 60)
        return answer

    def _find_refusal(self, verb: str, kind: str) -> aiohttp.web.Response | None:
        if (verb, kind) not in GRANTED:
            return _status(403, f'{kind} is forbidden: User "airflow" cannot {verb} resource "{kind}" in API group ""')
        return _status(*self.refusals[verb]) if verb in self.refusals and kind == "pods" else None

    def _of_one(self, request: kmock.Request, verb: str, name: str) -> aiohttp.web.Response:
        if name not in self.pods:
            return _status(404, f'pods "{name}" not found')
        answer: aiohttp.web.Response = getattr(self, f"_{verb}")(request, name)
        return answer

    def _log(self, _request: kmock.Request, name: str) -> aiohttp.web.Response:
        return aiohttp.web.Response(body=self.log.get(name, b""))

    def _create(self, request: kmock.Request) -> aiohttp.web.Response:
        pod = dict(request.data)
        name = pod["metadata"]["name"]
        if name in self.pods:
            return _status(409, f'pods "{name}" already exists')
        pod["metadata"] |= {"uid": f"uid-{len(self.created)}", "creationTimestamp": _now()}
        pod["status"] = {"phase": "Pending"}
        self.pods[name] = pod
        self.created.append(json.loads(json.dumps(pod)))
        self.has_created.set()
        threading.Thread(target=self.kubelet, args=(pod,), daemon=True).start()
        return _json(pod, 201)

    def _list(self, request: kmock.Request) -> aiohttp.web.Response:
        items = [pod for pod in self.pods.values() if _selected(pod, request.params.get("labelSelector", ""))]
        return _json({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    def _get(self, request: kmock.Request, name: str) -> aiohttp.web.Response:
        return _json(self.pods[name])

    def _patch(self, request: kmock.Request, name: str) -> aiohttp.web.Response:
        self.pods[name]["metadata"]["labels"] |= request.data["metadata"]["labels"]
        return _json(self.pods[name])

    def _delete(self, request: kmock.Request, name: str) -> aiohttp.web.Response:
        self.deleted.append(name)
        return _json(self.pods.pop(name))


def _verb(request: kmock.Request, name: str | None) -> str:
    method = str(request.method.value).lower()
    if method == "get" and name is None:
        return "watch" if request.params.get("watch") else "list"
    return {"post": "create"}.get(method, method)


def _selected(pod: dict[str, Any], selector: str) -> bool:
    labels = pod["metadata"].get("labels", {})
    for term in filter(None, selector.split(",")):
        if term.startswith("!"):
            met = term[1:] not in labels
        else:
            key, wanted = term.split("!=" if "!=" in term else "=")
            met = (labels.get(key) != wanted) if "!=" in term else (labels.get(key) == wanted)
        if not met:
            return False
    return True


def _json(value: Any, status: int = 200) -> aiohttp.web.Response:
    return aiohttp.web.json_response(value, status=status)


def _status(code: int, message: str) -> aiohttp.web.Response:
    reason = {403: "Forbidden", 404: "NotFound", 409: "AlreadyExists"}.get(code, "InternalError")
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }
    return _json(body, code)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def serving(api: PodApi) -> Iterator[str]:
    """The API in a thread of its own; yields its URL."""
    started, loop = threading.Event(), asyncio.new_event_loop()
    url, stop = "", asyncio.Event()

    async def serve() -> None:
        nonlocal url
        async with api, kmock.Server(api) as server:
            url = str(server.url).rstrip("/")
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def connection_to(url: str) -> str:
    """An Airflow connection to that API, as AIRFLOW_CONN_... takes it."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {"token": "a-token-that-nobody-may-see"}}],
    }
    return json.dumps({"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(kubeconfig)}})


class ProcessKubelet:
    """Runs a pod's one container as a process; `secrets` are the cluster's, by name."""

    def __init__(self, folder: Path, secrets: dict[str, dict[str, str]] | None = None) -> None:
        self.folder, self.secrets = folder, secrets or {}
        self.held = threading.Event()
        self.held.set()
        self.api: PodApi | None = None

    def __call__(self, pod: dict[str, Any]) -> None:
        container = pod["spec"]["containers"][0]
        pod["status"] = _running(container["name"])
        self.held.wait(60)
        home = self.folder / pod["metadata"]["name"]
        home.mkdir()
        ended = run_container(container, home, self.secrets)
        if self.api:
            self.api.log[pod["metadata"]["name"]] = ended.stdout
        pod["status"] = _ended(container["name"], ended.returncode, _message(home, ended))


def run_container(
    container: dict[str, Any], home: Path, secrets: dict[str, dict[str, str]]
) -> subprocess.CompletedProcess[bytes]:
    """The container's command, with its environment; what it would write to /tmp goes to `home`."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT}"}  # the image's own
    for source in container.get("envFrom", []):
        env |= secrets[source["secretRef"]["name"]]
    env |= {one["name"]: re.sub(r"^/tmp(?=/|$)", str(home), one["value"]) for one in container["env"]}
    command = [sys.executable, *container["command"][1:], *(expand(text, env) for text in container["args"])]
    env["SLIPWAY_TERMINATION_MESSAGE"] = str(home / "termination-log")
    return subprocess.run(
        command, check=False, env=env, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120
    )


def expand(text: str, env: dict[str, str]) -> str:
    """A container's argument as the kubelet passes it on: https://pkg.go.dev/k8s.io/kubernetes/third_party/forked/golang/expansion"""
    return re.sub(r"\$\$|\$\(([^)]*)\)", lambda found: "$" if found[0] == "$$" else env.get(found[1], found[0]), text)


def _message(home: Path, ended: subprocess.CompletedProcess[bytes]) -> str:
    written = home / "termination-log"
    if written.exists():
        return written.read_bytes()[-4096:].decode()
    return ended.stdout[-2048:].decode(errors="replace") if ended.returncode else ""


def _running(container: str) -> dict[str, Any]:
    return {
        "phase": "Running",
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [_container(container, {"running": {"startedAt": _now()}})],
    }


def _ended(container: str, code: int, message: str) -> dict[str, Any]:
    terminated = {
        "exitCode": code,
        "reason": "Error" if code else "Completed",
        "message": message,
        "finishedAt": _now(),
    }
    return {
        "phase": "Failed" if code else "Succeeded",
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [_container(container, {"terminated": terminated})],
    }


def _container(name: str, state: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "state": state,
        "ready": False,
        "restartCount": 0,
        "image": "i",
        "imageID": "",
        "lastState": {},
    }
