from __future__ import annotations

from typing import Any

import pytest

from slipway.cluster.managed_fields import Step, field_owners, owns_field

# As an API server of Kubernetes 1.33 writes them.
OBJECT: dict[str, Any] = {
    "metadata": {
        "name": "iris",
        "managedFields": [
            {
                "manager": "slipway",
                "operation": "Apply",
                "apiVersion": "apps/v1",
                "time": "2026-01-05T10:00:00Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:slipway.dev/model": {}}},
                    "f:spec": {
                        "f:replicas": {},
                        "f:selector": {},
                        "f:template": {
                            "f:spec": {
                                "f:containers": {
                                    'k:{"name":"server"}': {
                                        ".": {},
                                        "f:image": {},
                                        "f:name": {},
                                        "f:ports": {
                                            'k:{"containerPort":8080,"protocol":"TCP"}': {
                                                ".": {},
                                                "f:containerPort": {},
                                            }
                                        },
                                    }
                                }
                            }
                        },
                    },
                },
            },
            {
                "manager": "kube-controller-manager",
                "operation": "Update",
                "subresource": "scale",
                "apiVersion": "apps/v1",
                "fieldsV1": {"f:spec": {"f:replicas": {}}},
            },
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}},
        ],
    }
}


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        (("spec", "replicas"), ["slipway", "kube-controller-manager"]),
        (("spec", "paused"), ["kubectl-edit"]),
        (("spec", "strategy"), []),
        (("spec", "selector", "matchLabels", "app"), ["slipway"]),
        (("spec", "replicas", "deeper"), ["slipway", "kube-controller-manager"]),
        (("spec", "template", "spec", "containers", {"name": "server"}, "image"), ["slipway"]),
        (("spec", "template", "spec", "containers", {"name": "proxy"}, "image"), []),
        (
            (
                "spec",
                "template",
                "spec",
                "containers",
                {"name": "server"},
                "ports",
                {"protocol": "TCP", "containerPort": 8080},
            ),
            ["slipway"],
        ),
        (("metadata", "labels", "slipway.dev/model"), ["slipway"]),
        ((), []),
    ],
)
def test_owners(path: tuple[Step, ...], owners: list[str]) -> None:
    assert field_owners(OBJECT, path) == owners
    assert all(owns_field(OBJECT, owner, path) for owner in owners)
    assert not owns_field(OBJECT, "somebody", path)


@pytest.mark.parametrize("metadata", [{}, {"managedFields": None}, {"managedFields": [{"manager": "slipway"}]}])
def test_an_object_without_a_record_has_no_owners(metadata: dict[str, Any]) -> None:
    assert field_owners({"metadata": metadata}, ("spec", "replicas")) == []
