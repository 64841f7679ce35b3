"""Where the tests of this folder run: a namespace of their own on the cluster that SLIPWAY_TEST_KUBECONFIG names.

Slipway itself has nothing there but the Roles of serving/k8s/rbac/; only the tests do more. `cluster-admin` is enough for the
given kubeconfig. It makes and removes that namespace; in it roles and rolebindings (so that it must have every right that the
Roles give), serviceaccounts with a token, secrets, configmaps, resourcequotas and pods, whose logs it reads; it patches
deployments, reads gateways, and, if it may, lists the nodes.

The cluster pulls from SLIPWAY_TEST_REGISTRY (`host[:port][/path]`), to which this machine's Docker engine pushes; where the
registry wants a log-in, SLIPWAY_TEST_REGISTRY_LOGIN is `user:password`. A registry that does not make repositories by itself
must have `iris`, `models/canary-iris` and `models/slipway-serving` below that path. Images are of the engine's architecture,
which some node must have. Nothing is assumed of the number of nodes, of ingress, or of DNS outside.
SLIPWAY_TEST_GATEWAY_CLASS may name a GatewayClass whose Gateways pods can reach; without it that one test is skipped.

Without SLIPWAY_TEST_KUBECONFIG the tests run on the stand-in of tests/cluster/, whose pods are containers of this machine's
engine. That takes an engine and root; where one is missing they are skipped, and say which.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from slipway.cluster.api import Cluster
from tests.docker_host import registry, require_engine
from tests.parts import miss

RBAC = Path(__file__).parents[3] / "serving" / "k8s" / "rbac"
CONNECTION = "kubernetes_of_the_tests"
CONNECTION_VARIABLE = f"AIRFLOW_CONN_{CONNECTION.upper()}"
PULL_SECRET = "registry-login"
_TOKEN_SECONDS = 6 * 3600
_GATEWAY_CLASS = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "GatewayClass",
    "metadata": {"name": "stand-in"},
    "spec": {"controllerName": "example.com/gateway-controller"},
}


@dataclass(frozen=True)
class Place:
    """A namespace, and who may do what in it.

    Attributes:
        client: kubernetes' ApiClient with the rights of the given kubeconfig.
        namespace: made for this run of the tests, and removed after it.
        registry: what names of images begin with.
        login: of the registry, as `registry_login` gives it; None: it asks for none.
        cluster: the namespace with Slipway's rights, as its connection gives them.
        connection: the Airflow connection with those rights, as JSON.
        gateway_class: a GatewayClass to make Gateways of, if one is known.
    """

    client: Any
    namespace: str
    registry: str
    login: dict[str, str] | None
    cluster: Cluster
    connection: str
    gateway_class: str | None

    @property
    def core(self) -> Any:
        from kubernetes.client import CoreV1Api

        return CoreV1Api(self.client)

    @property
    def pull_secret(self) -> str | None:
        return PULL_SECRET if self.login else None


@contextlib.contextmanager
def find_place(folder: Path) -> Iterator[Place]:
    """The named cluster, or else the stand-in."""
    path = os.environ.get("SLIPWAY_TEST_KUBECONFIG")
    if path is None:
        with _stand_in(folder) as place:
            yield place
        return
    images = os.environ.get("SLIPWAY_TEST_REGISTRY")
    if images is None:
        miss("needs SLIPWAY_TEST_REGISTRY, from which the cluster of SLIPWAY_TEST_KUBECONFIG pulls")
    login = parse_login(images, os.environ.get("SLIPWAY_TEST_REGISTRY_LOGIN"))
    with _place(Path(path).resolve(), folder, images, login, os.environ.get("SLIPWAY_TEST_GATEWAY_CLASS")) as place:
        yield place


def parse_login(images: str, text: str | None) -> dict[str, str] | None:
    """``user:password`` as a Docker engine wants to be told it; None: no log-in."""
    if not text:
        return None
    user, _, password = text.partition(":")
    return {"username": user, "password": password, "serveraddress": images.partition("/")[0]}


@contextlib.contextmanager
def _stand_in(folder: Path) -> Iterator[Place]:
    from tests.cluster.running import docker_cluster

    with registry(folder / "registry") as images, docker_cluster(require_engine(), gateway=True) as stand_in:
        path = stand_in.cluster.kubeconfig(folder / "admin.yaml")
        gateways = stand_in.store.create(_GATEWAY_CLASS)["metadata"]["name"]
        with _place(path, folder, images.address, None, gateways, stand_in.cluster.token) as place:
            yield place


def _client(path: Path) -> Any:
    from kubernetes.config import new_client_from_config

    return new_client_from_config(str(path))


@contextlib.contextmanager
def _place(
    given: Path,
    folder: Path,
    images: str,
    login: dict[str, str] | None,
    gateway_class: str | None,
    token: Callable[[str], str] | None = None,
) -> Iterator[Place]:
    """`token` makes one for a user; default: asked of the cluster."""
    client, name = _client(given), f"slipway-test-{secrets.token_hex(4)}"
    with namespace(client, name):
        if login:
            make_pull_secret(client, name, login)
        user = grant(client, name)
        made = token(user) if token else _token(client, name, user)
        path = write_kubeconfig(given, folder / "slipway.yaml", name, made)
        extra = {"kube_config_path": str(path), "namespace": name}
        connection = json.dumps({"conn_type": "kubernetes", "extra": extra})
        cluster = Cluster(_client(path), name, CONNECTION)
        yield Place(client, name, images, login, cluster, connection, gateway_class)


@contextlib.contextmanager
def namespace(client: Any, name: str) -> Iterator[None]:
    """A namespace that lets only pods of the standard *restricted* in."""
    from kubernetes.client import CoreV1Api

    core, strict = CoreV1Api(client), {"pod-security.kubernetes.io/enforce": "restricted"}
    core.create_namespace({"metadata": {"name": name, "labels": strict}})
    try:
        yield
    finally:
        core.delete_namespace(name)


def grant(client: Any, namespace: str, *, without: tuple[str, str] | None = None) -> str:
    """Apply the Roles and their binding as a platform engineer would; returns the user that then has them.

    Args:
        without: a verb and a resource that are left out.
    """
    from kubernetes.client import CoreV1Api, RbacAuthorizationV1Api

    rbac, core, user = RbacAuthorizationV1Api(client), CoreV1Api(client), ""
    for path in sorted(RBAC.glob("*.yaml")):
        for item in filter(None, yaml.safe_load_all(path.read_text())):
            item["metadata"].pop("namespace", None)
            if item["kind"] == "ServiceAccount":
                _create(core.create_namespaced_service_account, namespace, item)
                user = f"system:serviceaccount:{namespace}:{item['metadata']['name']}"
            elif item["kind"] == "Role":
                rules = [rule for given in item["rules"] for rule in _less(given, without)]
                _create(rbac.create_namespaced_role, namespace, item | {"rules": rules})
            else:
                for subject in item["subjects"]:
                    subject["namespace"] = namespace
                _create(rbac.create_namespaced_role_binding, namespace, item)
    return user


def _less(rule: dict[str, Any], without: tuple[str, str] | None) -> list[dict[str, Any]]:
    """The rule as one or two, without one verb on one of its resources; the others keep it."""
    verb, resource = without or ("", "")
    if resource not in rule["resources"]:
        return [rule]
    others = {"resources": [one for one in rule["resources"] if one != resource]}
    parts = [rule | others, rule | {"resources": [resource], "verbs": [one for one in rule["verbs"] if one != verb]}]
    return [part for part in parts if part["resources"] and part["verbs"]]


def _create(create: Any, namespace: str, item: dict[str, Any]) -> None:
    from kubernetes.client.exceptions import ApiException

    try:
        create(namespace, item)
    except ApiException as error:
        if error.status != 409:
            raise


def make_pull_secret(client: Any, namespace: str, login: dict[str, str]) -> None:
    """A Secret with which the nodes pull from the registry."""
    from kubernetes.client import CoreV1Api

    data = {".dockerconfigjson": docker_config(login)}
    body = {"metadata": {"name": PULL_SECRET}, "type": "kubernetes.io/dockerconfigjson", "stringData": data}
    CoreV1Api(client).create_namespaced_secret(namespace, body)


def docker_config(login: dict[str, str]) -> str:
    """The log-in as `docker login` would keep it."""
    auth = base64.b64encode(f"{login['username']}:{login['password']}".encode()).decode()
    return json.dumps({"auths": {login["serveraddress"]: {"auth": auth}}})


def _token(client: Any, namespace: str, user: str) -> str:
    """A token of a service account, which lapses some time after the tests; a cluster may shorten it."""
    from kubernetes.client import CoreV1Api

    account, wanted = user.rpartition(":")[2], {"spec": {"expirationSeconds": _TOKEN_SECONDS}}
    made = CoreV1Api(client).create_namespaced_service_account_token(account, namespace, wanted)
    return str(made.status.token)


def write_kubeconfig(given: Path, path: Path, namespace: str, token: str) -> Path:
    """The given kubeconfig's current cluster, with all that is said of how it is reached, for the owner of a token."""
    config = yaml.safe_load(given.read_text())
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = dict(_named(config["clusters"], context["cluster"])["cluster"])
    if authority := cluster.get("certificate-authority"):
        cluster["certificate-authority"] = str(given.parent / authority)  # as it stands there: relative to that file
    ours = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
        "current-context": "x",
    }
    path.touch(0o600)
    path.write_text(yaml.safe_dump(ours))
    return path


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def check_architecture(core: Any, architecture: str) -> None:
    """Skip, or fail in the gate, where no node can run images of this architecture; who may not list nodes goes on."""
    from kubernetes.client.exceptions import ApiException

    try:
        nodes = core.list_node().items
    except ApiException as error:
        if error.status not in {401, 403}:
            raise
        return
    found = {node.status.node_info.architecture for node in nodes if node.status.node_info}
    if found and architecture not in found:
        miss(
            f"needs images for {' or '.join(sorted(found))}, which the cluster's nodes are: this machine's engine makes them "
            f"for {architecture}; run the tests on a machine like the nodes, or add a node like this machine"
        )
