"""A whole cluster: store, admission, API server in a thread, and what moves the objects."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import yaml

from tests.cluster import defaults, validation
from tests.cluster.admission import ClusterAddresses, NamespaceLifecycle, Quota, ServiceAccounts, Webhooks
from tests.cluster.api import Api
from tests.cluster.discovery import Discovery
from tests.cluster.faults import Faults, Seen
from tests.cluster.logs import Kubelet
from tests.cluster.pod_security import PodSecurity
from tests.cluster.rbac import Authoriser, Tokens
from tests.cluster.server import Server
from tests.cluster.store import Object, Store
from tests.cluster.tls import Certificate

VERSION = "v1.36.2"


class Part(Protocol):
    """Something of a cluster that runs in a thread of its own: a controller, a kubelet."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Cluster:
    """A running cluster. What is wrong in the stand-in itself is raised when it ends."""

    def __init__(self, store: Store, api: Api, tokens: Tokens, webhooks: Webhooks, stack: ExitStack) -> None:
        self.store = store
        self.webhooks = webhooks
        self.url = ""
        self.certificate: Certificate | None = None
        self._api, self._tokens, self._stack = api, tokens, stack

    @property
    def faults(self) -> Faults:
        """What shall go wrong."""
        return self._api.faults

    @property
    def requests(self) -> list[Seen]:
        """All requests so far."""
        return list(self._api.seen)

    @property
    def kubelet(self) -> Kubelet:
        """What answers for logs and ports of pods; may be set at any time."""
        return self._api.kubelet

    @kubelet.setter
    def kubelet(self, kubelet: Kubelet) -> None:
        self._api.kubelet = kubelet

    @property
    def open_watches(self) -> int:
        """How many watches clients have open now."""
        return len(self._api.watches)

    def run(self, *parts: Part) -> None:
        """Start controllers, kubelets and the like; they are stopped, newest first, before the cluster ends."""
        for part in parts:
            self._stack.callback(part.stop)
            part.start()

    def token(self, user: str = "admin") -> str:
        """A bearer token of `admin`, of a service account `system:serviceaccount:<namespace>:<name>`, or of any user."""
        return self._tokens.of(user)

    def add_namespace(self, name: str, labels: dict[str, str] | None = None) -> Object:
        """A namespace with its service account `default`."""
        obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}
        return self.store.create(obj)

    def kubeconfig(self, path: Path, *, user: str = "admin", namespace: str = "default", token: str = "") -> Path:
        """Write a kubeconfig for a user, or with a token as given; returns its path."""
        server: Object = {"server": self.url}
        if self.certificate:
            server["certificate-authority-data"] = self.certificate.authority_base64
        context = {"cluster": "stand-in", "user": user, "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "stand-in", "cluster": server}],
            "users": [{"name": user, "user": {"token": token or self.token(user)}}],
            "contexts": [{"name": "stand-in", "context": context}],
            "current-context": "stand-in",
        }
        path.write_text(yaml.safe_dump(config))
        return path


@contextmanager
def start_cluster(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    gateway: bool = False,
    rbac: bool = True,
    tls: bool = False,
    version: str = VERSION,
    bookmark_seconds: float = 10,
    allocate_address: Callable[[Object], str] | None = None,
    parts: Callable[[Cluster], None] = lambda _: None,
) -> Iterator[Cluster]:
    """A cluster on a port of this machine, while the context is open.

    Args:
        gateway: whether it has the kinds of the Gateway API.
        rbac: whether roles decide what a user may do; without, everybody may do everything.
        allocate_address: gives a Service its clusterIP; the default counts up from 10.96.0.2.
        parts: called with the cluster before it serves, to `run` controllers and a kubelet and to set `kubelet`.

    Raises:
        ExceptionGroup: a request made the stand-in itself fail.
    """
    store, tokens, webhooks = Store(), Tokens(), Webhooks()
    store.set_defaults = defaults.set_defaults
    store.admission += [
        NamespaceLifecycle(store),
        ClusterAddresses(allocate_address or _counting("10.96")),
        validation.check,
        webhooks,
        ServiceAccounts(store),
        PodSecurity(store),
        Quota(store),
    ]
    store.subscribe(lambda type_, obj: _follow_namespace(store, type_, obj))
    authoriser = Authoriser(store, enabled=rbac)
    discovery = Discovery(version=version, gateway=gateway)
    api = Api(store, discovery=discovery, authoriser=authoriser, tokens=tokens, bookmark_seconds=bookmark_seconds)
    with ExitStack() as stack:
        cluster = Cluster(store, api, tokens, webhooks, stack)
        for name in ("default", "kube-system", "kube-public"):
            cluster.add_namespace(name)
        cluster.certificate = Certificate(host) if tls else None
        server = Server(api, host, port, cluster.certificate)
        stack.callback(server.stop)
        cluster.url = server.start()
        parts(cluster)
        yield cluster


def _counting(prefix: str) -> Callable[[Object], str]:
    numbers = itertools.count(2)

    def allocate(_: Object) -> str:
        number = next(numbers)
        return f"{prefix}.{number // 256}.{number % 256}"

    return allocate


def _follow_namespace(store: Store, type_: str, obj: Object) -> None:
    """Every namespace has a service account `default`."""
    if type_ == "ADDED" and obj["kind"] == "Namespace":
        name = obj["metadata"]["name"]
        store.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}})
