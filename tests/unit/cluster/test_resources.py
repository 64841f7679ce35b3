from __future__ import annotations

import pytest

from slipway.cluster.resources import OPTIONAL_KINDS, PRUNED_KINDS, RESOURCES


@pytest.mark.parametrize(
    ("kind", "arguments", "path"),
    [
        ("Pod", ("models", "iris-0", "log"), "/api/v1/namespaces/models/pods/iris-0/log"),
        ("Deployment", ("models",), "/apis/apps/v1/namespaces/models/deployments"),
        ("HTTPRoute", ("models", "iris"), "/apis/gateway.networking.k8s.io/v1/namespaces/models/httproutes/iris"),
        ("SelfSubjectAccessReview", ("models",), "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        ("Pod", ("a/../b", "../x?y"), "/api/v1/namespaces/a%2F..%2Fb/pods/..%2Fx%3Fy"),
    ],
)
def test_paths(kind: str, arguments: tuple[str, ...], path: str) -> None:
    assert RESOURCES[kind].path(*arguments) == path


def test_names_as_roles_and_messages_write_them() -> None:
    assert (RESOURCES["Deployment"].group, RESOURCES["Deployment"].qualified) == ("apps", "deployments.apps")
    assert (RESOURCES["Pod"].group, RESOURCES["Pod"].qualified) == ("", "pods")


def test_the_lists_of_kinds_name_kinds() -> None:
    assert set(PRUNED_KINDS) <= set(RESOURCES)
    assert set(PRUNED_KINDS) >= OPTIONAL_KINDS
