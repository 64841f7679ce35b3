"""A stand-in cluster for each test, and the real client to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient
from kubernetes.config import new_client_from_config

from tests.cluster import Cluster, start_cluster

Object = dict[str, Any]


class Client:
    """The real client, with the requests that these tests make."""

    def __init__(self, cluster: Cluster, folder: Path, user: str = "admin", token: str = "") -> None:
        path = cluster.kubeconfig(folder / f"kubeconfig-{user.replace(':', '-')}", user=user, token=token)
        self.api: ApiClient = new_client_from_config(str(path))
        self.api.configuration.retries = False
        self.api.rest_client.pool_manager.connection_pool_kw["retries"] = False

    def call(self, method: str, path: str, body: Any = None, content_type: str = "", **query: Any) -> Object:
        headers = {"Accept": "application/json", **({"Content-Type": content_type} if content_type else {})}
        if body is not None and not content_type:
            headers["Content-Type"] = "application/json"
        response = self.api.call_api(
            path,
            method,
            query_params=list(query.items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
        )
        found: Object = json.loads(response.data)
        return found

    def apply(self, path: str, body: Object, manager: str = "slipway", **query: Any) -> Object:
        return self.call("PATCH", path, body, "application/apply-patch+yaml", fieldManager=manager, **query)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with start_cluster(gateway=True, bookmark_seconds=0.2) as started:
        started.add_namespace("models")
        yield started


@pytest.fixture
def client(cluster: Cluster, tmp_path: Path) -> Client:
    return Client(cluster, tmp_path)


DEPLOYMENTS = "/apis/apps/v1/namespaces/models/deployments"
PODS = "/api/v1/namespaces/models/pods"


def deployment(name: str = "iris", image: str = "registry/iris@sha256:1", **spec: Any) -> Object:
    labels = {"app": name}
    container = {
        "name": "server",
        "image": image,
        "ports": [{"containerPort": 8080}],
        "env": [{"name": "WORKERS", "value": "1"}, {"name": "LEVEL", "value": "info"}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


def pod(name: str = "p", **spec: Any) -> Object:
    container = {"name": "server", "image": "x:1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "models", "labels": {"app": name}},
        "spec": {"containers": [container], **spec},
    }
