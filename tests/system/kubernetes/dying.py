"""A rollout whose process is killed after so many changes to the cluster; in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace
from typing import Any

from slipway.cluster.api import Cluster
from tests.system.kubernetes.model import ClusterModel, Version


def roll_out_and_die(model: ClusterModel, version: Version, changes: int, seconds: float = 600) -> bool:
    """Whether it died; False: it was through before."""
    elsewhere = replace(model, cluster=None, _runs=None)  # what it needs, it takes from its connection
    child = multiprocessing.get_context("spawn").Process(target=_roll_out, args=(elsewhere, version, changes))
    child.start()
    try:
        child.join(seconds)
        ended = child.exitcode
    finally:
        child.kill()
        child.join()
    assert ended in {-signal.SIGKILL, 0}, f"exit code {ended}, or None: not in {seconds} s"
    return ended != 0


def _roll_out(model: ClusterModel, version: Version, changes: int) -> None:
    apply, left = Cluster.apply, [changes]

    def dying(self: Cluster, *args: Any, **kwargs: Any) -> Any:
        result = apply(self, *args, **kwargs)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Cluster.apply = dying  # type: ignore[method-assign, assignment]
    model.roll_out(version)
