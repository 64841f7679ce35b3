"""Clients in a pod of their own, which ask a Service without pause and count what a user would call lost."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import http_client
from tests.system.kubernetes.place import Place
from tests.system.kubernetes.pod import restricted_pod

CLIENTS = 16
_MAIN = """
import sys

class Asked(Client):
    def _send(self, connection):
        headers = {"Content-Type": "application/json"} | ({"Host": sys.argv[3]} if sys.argv[3] else {})
        connection.request("POST", "/predict", BODY, headers)
        return connection.getresponse()

# A Service or Gateway that was made just now may lead nowhere for a moment, on some nodes longer than on others: what is lost
# counts from many good answers in a row.
good = 0
while good < 20:
    first = Asked(sys.argv[1], keep_alive=False)
    try:
        first._ask_and_again(http.client.HTTPConnection(first._host, timeout=5))
    except (OSError, http.client.HTTPException) as error:
        first.lost.append(repr(error))
    good = 0 if first.lost else good + 1
    time.sleep(0.2 if first.lost else 0)
clients = [Asked(sys.argv[1], keep_alive=bool(number % 2), pause_seconds=0.1) for number in range(int(sys.argv[2]))]
for client in clients:
    client.daemon = True
    client.start()
while True:
    time.sleep(0.5)
    asked, lost = sum(client.asked for client in clients), [lost for client in clients for lost in client.lost]
    digests = sorted(set().union(*(client.digests for client in clients)) - {None})
    print(json.dumps({"asked": asked, "lost": lost[:5], "losses": len(lost), "digests": digests}), flush=True)
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
def load(place: Place, image: str, address: str, *, host: str = "") -> Iterator[Load]:
    """Ask http://`address`/predict from a pod made of `image`, a model server's, whose Python is all that is needed.

    Args:
        host: what to ask for, where that is another name than the address.
    """
    script = Path(http_client.__file__).read_text() + _MAIN
    container = {
        "image": image,
        "command": ["python3", "-c", script, f"http://{address}", str(CLIENTS), host],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
    }
    name = f"load-{secrets.token_hex(4)}"
    place.core.create_namespaced_pod(place.namespace, restricted_pod(name, container, place.pull_secret))
    try:
        _wait_until_running(place.core, place.namespace, name)
        yield Load(place.core, place.namespace, name)
    finally:
        place.core.delete_namespaced_pod(name, place.namespace, grace_period_seconds=0)


def _wait_until_running(core: Any, namespace: str, name: str) -> None:
    deadline = time.monotonic() + 600
    while (pod := core.read_namespaced_pod(name, namespace)).status.phase != "Running":
        assert pod.status.phase in {None, "Pending"}, f"the clients ended: {pod.status}"
        assert time.monotonic() < deadline, f"the clients do not start: {pod.status}"
        time.sleep(0.2)
