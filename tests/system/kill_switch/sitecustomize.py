"""Ends a task process with SIGKILL at a chosen call: what a dying machine does, at a moment that a test can name.

Python imports this module at start when its folder is on PYTHONPATH. It wraps the calls with which our tasks change the
world; a wrapped call looks for a plan ``<folder>/<dag id>.json`` (``{"task", "call", "when"}``) in the folder that
SLIPWAY_TEST_KILL_PLANS names, and a plan is used up before the process dies, so the retry lives.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

CALLS = {
    "slipway.storage.s3_hook": ["S3Store.upload", "S3Store.write", "S3Store.create", "S3Store.swap"],
    "slipway.rollout.process.target": ["ProcessTarget.ensure_serving", "ProcessTarget.write_desired"],
    "slipway.containers.registry": ["Registry.push_blob", "Registry.put_manifest"],
    "slipway.rollout.docker.servers": ["Servers.ensure_running", "Servers.stop"],
    "slipway.rollout.docker.proxy": ["Proxy.ensure", "Proxy.write", "Proxy.reload"],
    "slipway.cluster.api": ["Cluster.apply", "Cluster.delete"],
    "slipway.firewall.hook": ["Ec2FirewallHook.authorize", "Ec2FirewallHook.create_group"],
}


def strike(call: str, when: str) -> None:
    """Die here if the plan of this task says so."""
    plan_path = Path(os.environ["SLIPWAY_TEST_KILL_PLANS"]) / f"{os.environ.get('AIRFLOW_CTX_DAG_ID')}.json"
    if not plan_path.exists():
        return
    plan = json.loads(plan_path.read_text())
    if (plan["task"], plan["call"], plan["when"]) == (os.environ.get("AIRFLOW_CTX_TASK_ID"), call, when):
        plan_path.rename(plan_path.with_suffix(".done"))
        os.kill(os.getpid(), signal.SIGKILL)


def wrapped(function: Any, call: str) -> Any:
    """`function`, with a chance to die before and after it."""

    @functools.wraps(function)
    def around(*args: Any, **kwargs: Any) -> Any:
        strike(call, "before")
        result = function(*args, **kwargs)
        strike(call, "after")
        return result

    return around


class Finder(importlib.abc.MetaPathFinder):
    """Lets the usual finders find our modules, and wraps the calls after each is executed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in CALLS:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_wrap(module: Any) -> None:
            execute(module)
            for call in CALLS[name]:
                kind, method = call.split(".")
                owner = getattr(module, kind)
                setattr(owner, method, wrapped(getattr(owner, method), call))

        spec.loader.exec_module = execute_and_wrap  # type: ignore[method-assign]
        return spec


if os.environ.get("SLIPWAY_TEST_KILL_PLANS"):
    sys.meta_path.insert(0, Finder())
