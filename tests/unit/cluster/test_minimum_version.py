from __future__ import annotations

import pytest

from slipway.cluster.minimum_version import check_minimum_version
from slipway.core.errors import ConfigurationError


@pytest.mark.parametrize("version", ["v1.30.0", "v1.30.1+k3s1", "v1.36.2", "v1.30.9-gke.100", "v2.0.0", "unknown"])
def test_versions_that_take_the_manifests(version: str) -> None:
    check_minimum_version(version, "cluster prod")


@pytest.mark.parametrize("version", ["v1.29.3-gke.100", "v1.9.11", "v1.3.0", "v0.31.0"])
def test_versions_that_are_too_old(version: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_minimum_version(version, "cluster prod")
    assert str(caught.value).startswith(f"could not use the cluster: cluster prod: it is Kubernetes {version}, and ")
    assert "need 1.30 or newer" in caught.value.why
