"""What our identity may do, asked of the API before it is needed."""

from __future__ import annotations

from pathlib import Path

import kmock
import pytest
from aiohttp import web

from slipway.cluster.api import Cluster
from slipway.cluster.permissions import Permission, check_permissions, missing_permissions, needed_permissions
from slipway.core.errors import ConfigurationError, DeniedError
from tests.kube_api import KubeApi, Reply

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ROLE = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: slipway}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: slipway}
rules:
  - apiGroups: [apps]
    resources: [deployments]
    verbs: [get, create, patch]
  - apiGroups: [""]
    resources: [pods, pods/log]
    verbs: [get]
"""
GATEWAY = """
kind: Role
metadata: {name: slipway-gateway}
rules:
  - {apiGroups: [gateway.networking.k8s.io], resources: [httproutes], verbs: [get]}
  - {apiGroups: [""], resources: [pods], verbs: [get]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "role.yaml").write_text(ROLE)
    (tmp_path / "gateway.yaml").write_text(GATEWAY)
    (tmp_path / "empty.yaml").write_text("kind: ConfigMap")
    return tmp_path


def allow(api: KubeApi, *denied: tuple[str, str]) -> None:
    async def answer(request: kmock.Request) -> web.StreamResponse:
        asked = request.data["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
        return Reply(201, {"status": {"allowed": (asked["verb"], resource) not in denied}}).response()

    api.on("POST", REVIEWS, answer)


def test_the_roles_are_read_and_each_permission_is_named_once(folder: Path) -> None:
    assert needed_permissions(["role", "gateway"], folder) == [
        Permission("get", "apps", "deployments"),
        Permission("create", "apps", "deployments"),
        Permission("patch", "apps", "deployments"),
        Permission("get", "", "pods"),
        Permission("get", "", "pods", "log"),
        Permission("get", "gateway.networking.k8s.io", "httproutes"),
    ]


@pytest.mark.parametrize("part", ["absent", "empty"])
def test_a_role_that_is_not_there_is_said(folder: Path, part: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{part}.yaml"):
        needed_permissions([part], folder)


def test_who_may_do_all_passes(api: KubeApi, cluster: Cluster, folder: Path) -> None:
    allow(api)
    assert missing_permissions(cluster, ["role", "gateway"], folder) == []
    check_permissions(cluster, ["role", "gateway"], folder)
    assert len(api.asked) == 12


def test_all_that_is_missing_is_said_at_once_by_resource_with_the_role_to_apply(
    api: KubeApi, cluster: Cluster, folder: Path
) -> None:
    allow(api, ("create", "deployments"), ("patch", "deployments"), ("get", "pods/log"))
    with pytest.raises(DeniedError) as caught:
        check_permissions(cluster, ["role", "gateway"], folder)
    assert caught.value.why == "this identity may not deployments.apps: create, patch; pods/log: get"
    assert "`kubectl apply -n models -f serving/k8s/rbac/role.yaml`, then bind slipway to" in caught.value.fix


def test_a_permission_of_two_roles_names_both(api: KubeApi, cluster: Cluster, folder: Path) -> None:
    allow(api, ("get", "pods"))
    with pytest.raises(DeniedError) as caught:
        check_permissions(cluster, ["role", "gateway"], folder)
    assert "-f serving/k8s/rbac/role.yaml -f serving/k8s/rbac/gateway.yaml" in caught.value.fix
    assert "slipway, slipway-gateway" in caught.value.fix
