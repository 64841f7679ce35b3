"""The oldest Kubernetes that takes Slipway's manifests. Pure."""

from __future__ import annotations

import re

from slipway.core.errors import ConfigurationError

MINIMUM_VERSION = (1, 30)
"""The first that has `preStop.sleep` (serving/k8s/deployment.yaml) without being asked for it."""

MINIMUM_TEXT = ".".join(map(str, MINIMUM_VERSION))
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


def check_minimum_version(version: str, on: str) -> None:
    """Raises ConfigurationError: the cluster is too old.

    A version that cannot be read is let through: the cluster itself says then what it does not know.

    Args:
        version: as the API says it, e.g. ``v1.30.1+k3s1`` or ``v1.29.3-gke.100``.
        on: the cluster, for the text.
    """
    match = _VERSION.match(version)
    if match is None or (int(match[1]), int(match[2])) >= MINIMUM_VERSION:
        return
    raise ConfigurationError(
        "could not use the cluster",
        on=on,
        why=f"it is Kubernetes {version}, and Slipway's manifests need {MINIMUM_TEXT} or newer",
        fix="Update the cluster, or name another in deploy.kubernetes.conn_id.",
    )
