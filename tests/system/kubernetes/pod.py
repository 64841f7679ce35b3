"""A pod of the tests themselves, which the Pod Security Standard *restricted* lets in."""

from __future__ import annotations

from typing import Any


def restricted_pod(name: str, container: dict[str, Any], pull_secret: str | None = None) -> dict[str, Any]:
    """The API's object; `container` says image, command and resources."""
    security = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": name, "securityContext": security, **container}],
        **({"imagePullSecrets": [{"name": pull_secret}]} if pull_secret else {}),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
