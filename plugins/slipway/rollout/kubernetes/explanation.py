"""The error of a rollout that failed: enough, on its own, to know what to mend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.cluster.api import Cluster
from slipway.core.errors import RolloutError, SlipwayError
from slipway.rollout.kubernetes.names import object_name
from slipway.rollout.kubernetes.observation import Observation

_LOG_LINES = 15
_FAILED = "could not roll out the new version"


def explain(event: Mapping[str, Any], cluster: Cluster, model: str) -> SlipwayError:
    """What `RolloutTrigger` fired, as an error.

    Args:
        event: its payload, with a state other than complete.
        cluster: where the failing pod's last lines are read.
        model: whose rollout it is.
    """
    if event["state"] == "error":
        return SlipwayError.from_json(event["error"])
    kept = _kept(cluster, model)
    if event["state"] == "no address":
        on, why = f"Service {object_name(model)} in namespace {cluster.namespace}", f"no address in time\n({kept})"
        fix = "Does this cluster have a controller for load balancers? `kubectl describe service` tells what it says."
        return RolloutError(_FAILED, on=on, why=why, fix=fix)
    failure = event["failure"]
    lines = _last_lines(cluster, failure)
    why = f"{failure['reason']}: {failure['why']}" + (f"; its last lines:\n{lines}" if lines else "")
    return RolloutError(_FAILED, on=failure["on"], why=f"{why}\n({kept})", fix=failure["fix"])


def _last_lines(cluster: Cluster, failure: Mapping[str, Any]) -> str:
    if not failure["pod"] or not failure["container"]:
        return ""
    try:
        text = cluster.logs(failure["pod"], failure["container"], previous=failure["previous"], lines=_LOG_LINES)
    except SlipwayError as error:  # the failure itself is what is to be told
        return f"(could not be read: {error.why})"
    return text.strip()


def _kept(cluster: Cluster, model: str) -> str:
    """What answers requests meanwhile."""
    try:
        serving = Observation(cluster, model).serving_pods()
    except SlipwayError:
        return "what serves meanwhile could not be read"
    return f"{serving} pods keep serving" if serving else "nothing was serving before"
