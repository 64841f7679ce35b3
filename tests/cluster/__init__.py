"""A stand-in for a Kubernetes cluster: the real API over a socket, with its state in memory.

`start_cluster` starts one; `python -m tests.cluster` runs one until it is ended.
"""

from __future__ import annotations

from tests.cluster.cluster import Cluster, start_cluster

__all__ = ["Cluster", "start_cluster"]
