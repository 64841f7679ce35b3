"""Where the tests of this folder run: a namespace of their own on the cluster that SLIPWAY_TEST_KUBECONFIG names.

Slipway itself has nothing there but the Roles of serving/k8s/rbac/; only the tests, which make the namespace, may do more. The
cluster pulls from SLIPWAY_TEST_REGISTRY (`host[:port][/path]`), to which this machine's Docker engine pushes; where the
registry wants a log-in, SLIPWAY_TEST_REGISTRY_LOGIN is `user:password`. Nothing is assumed of nodes, ingress or DNS outside.

Without that variable the tests run on the stand-in of tests/cluster/, whose pods are containers of this machine's engine.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from slipway.cluster.api import Cluster
from tests.docker_host import registry, require_engine
from tests.parts import miss

RBAC = Path(__file__).parents[3] / "serving" / "k8s" / "rbac"
CONNECTION = "kubernetes_of_the_tests"
PULL_SECRET = "registry-login"


@dataclass(frozen=True)
class Place:
    """A namespace, and who may do what in it.

    Attributes:
        client: kubernetes' ApiClient with the rights of the kubeconfig.
        namespace: made for this run of the tests, and removed after it.
        registry: what names of images begin with.
        login: of the registry, ``user:password``, or None.
        cluster: the namespace with Slipway's rights, as its connection gives them.
    """

    client: Any
    namespace: str
    registry: str
    login: str | None
    cluster: Cluster

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
    with _namespace(_client(path), images, os.environ.get("SLIPWAY_TEST_REGISTRY_LOGIN"), folder, None) as place:
        yield place


@contextlib.contextmanager
def _stand_in(folder: Path) -> Iterator[Place]:
    from tests.cluster.running import docker_cluster

    with registry(folder / "registry") as images, docker_cluster(require_engine(), gateway=True) as stand_in:
        path = stand_in.cluster.kubeconfig(folder / "admin.yaml")
        with _namespace(_client(str(path)), images.address, None, folder, stand_in.cluster) as place:
            yield place


def _client(path: str) -> Any:
    from kubernetes.config import new_client_from_config

    return new_client_from_config(path)


@contextlib.contextmanager
def _namespace(client: Any, images: str, login: str | None, folder: Path, stand_in: Any) -> Iterator[Place]:
    from kubernetes.client import CoreV1Api

    core, name = CoreV1Api(client), f"slipway-test-{secrets.token_hex(4)}"
    strict = {"pod-security.kubernetes.io/enforce": "restricted"}
    core.create_namespace({"metadata": {"name": name, "labels": strict}})
    try:
        if login:
            _make_pull_secret(core, name, images, login)
        user = grant(client, name)
        path = folder / "slipway.yaml"
        if stand_in is not None:
            stand_in.kubeconfig(path, user=user)
        else:
            _write_kubeconfig(client, path, name, user.rpartition(":")[2])
        extra = {"kube_config_path": str(path), "namespace": name}
        os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"] = json.dumps({"conn_type": "kubernetes", "extra": extra})
        yield Place(client, name, images, login, Cluster(_client(str(path)), name, CONNECTION))
    finally:
        os.environ.pop(f"AIRFLOW_CONN_{CONNECTION.upper()}", None)
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
                rules = [_less(rule, without) for rule in item["rules"]]
                _create(
                    rbac.create_namespaced_role, namespace, item | {"rules": [rule for rule in rules if rule["verbs"]]}
                )
            else:
                for subject in item["subjects"]:
                    subject["namespace"] = namespace
                _create(rbac.create_namespaced_role_binding, namespace, item)
    return user


def _less(rule: dict[str, Any], without: tuple[str, str] | None) -> dict[str, Any]:
    if without is None or without[1] not in rule["resources"]:
        return rule
    return rule | {"verbs": [verb for verb in rule["verbs"] if verb != without[0]]}


def _create(create: Any, namespace: str, item: dict[str, Any]) -> None:
    from kubernetes.client.exceptions import ApiException

    try:
        create(namespace, item)
    except ApiException as error:
        if error.status != 409:
            raise


def _make_pull_secret(core: Any, namespace: str, images: str, login: str) -> None:
    auth = {"auths": {images.partition("/")[0]: {"auth": base64.b64encode(login.encode()).decode()}}}
    data = {".dockerconfigjson": json.dumps(auth)}
    body = {"metadata": {"name": PULL_SECRET}, "type": "kubernetes.io/dockerconfigjson", "stringData": data}
    core.create_namespaced_secret(namespace, body)


def _write_kubeconfig(client: Any, path: Path, namespace: str, account: str) -> None:
    """For that service account, with a token of its own that lapses with the tests."""
    from kubernetes.client import CoreV1Api

    wanted = {"spec": {"expirationSeconds": 7200}}
    token = CoreV1Api(client).create_namespaced_service_account_token(account, namespace, wanted).status.token
    made, authority = client.configuration, {}
    if made.ssl_ca_cert:
        authority = {"certificate-authority-data": base64.b64encode(Path(made.ssl_ca_cert).read_bytes()).decode()}
    server = {"server": made.host, **authority, **({} if made.verify_ssl else {"insecure-skip-tls-verify": True})}
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": server}],
                "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
                "current-context": "x",
            }
        )
    )
    path.chmod(0o600)
