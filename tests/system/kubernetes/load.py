"""Clients in a pod of their own, which ask a Service without pause and count what a user would call lost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import http_client

CLIENTS = 16
_MAIN = """
import sys
# A Service that was made just now may not lead anywhere for a moment; what is lost counts from its first answer.
while True:
    first = Client(sys.argv[1], keep_alive=False)
    first.going = False
    try:
        first._ask_and_again(http.client.HTTPConnection(first._host, timeout=5))
        break
    except (OSError, http.client.HTTPException):
        time.sleep(0.2)
clients = [Client(sys.argv[1], keep_alive=bool(number % 2), pause_seconds=0.1) for number in range(int(sys.argv[2]))]
for client in clients:
    client.daemon = True
    client.start()
while True:
    time.sleep(0.5)
    asked, lost = sum(client.asked for client in clients), [lost for client in clients for lost in client.lost]
    digests = sorted(set().union(*(client.digests for client in clients)))
    print(json.dumps({"asked": asked, "lost": lost[:5], "digests": digests}), flush=True)
"""


class Load:
    """What the clients said last."""

    def __init__(self, core: Any, namespace: str, pod: str) -> None:
        self._core, self._namespace, self._pod = core, namespace, pod

    def report(self) -> dict[str, Any]:
        """The newest line; {} before the first."""
        read = self._core.read_namespaced_pod_log
        text = read(self._pod, self._namespace, tail_lines=1, _preload_content=False).data.decode().strip()
        return json.loads(text) if text.endswith("}") else {}

    def wait_for_more(self, seconds: float = 90) -> dict[str, Any]:
        """A report in which every client has asked since, so that what is lost has been noticed."""
        deadline, before = time.monotonic() + seconds, self.report().get("asked", 0)
        while (report := self.report()).get("asked", 0) < before + 4 * CLIENTS:
            assert time.monotonic() < deadline, f"the clients do not ask: {report}"
            time.sleep(0.3)
        return report


@contextmanager
def load(core: Any, namespace: str, image: str, host: str, pull_secret: str | None) -> Iterator[Load]:
    """Ask http://`host`/predict from a pod made of `image`, a model server's, whose Python is all that is needed."""
    script = Path(http_client.__file__).read_text() + _MAIN
    container = {
        "name": "clients",
        "image": image,
        "command": ["python3", "-c", script, f"http://{host}", str(CLIENTS)],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        **({"imagePullSecrets": [{"name": pull_secret}]} if pull_secret else {}),
    }
    name = f"load-{host.partition('.')[0]}"
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    core.create_namespaced_pod(namespace, body)
    try:
        _wait_until_running(core, namespace, name)
        yield Load(core, namespace, name)
    finally:
        core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)


def _wait_until_running(core: Any, namespace: str, name: str) -> None:
    deadline = time.monotonic() + 120
    while (pod := core.read_namespaced_pod(name, namespace)).status.phase != "Running":
        assert pod.status.phase in {None, "Pending"}, f"the clients ended: {pod.status}"
        assert time.monotonic() < deadline, f"the clients do not start: {pod.status}"
        time.sleep(0.2)
