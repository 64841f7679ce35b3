"""The golden-row check of every pod behind a Service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slipway.core.errors import AbsentError, ConfigurationError, RolloutError, UnavailableError
from slipway.verification.golden_check import replay
from slipway.verification.pods import PodReader, is_ready

_FAILED = "could not verify the service"


def get_selector(services: Sequence[Mapping[str, Any]], model: str, traffic: str) -> dict[str, str]:
    """Which labels the pods have that users reach; a Service for a canary's share alone is not meant.

    Args:
        services: the model's.
        model: its name.
        traffic: key of the label that says which group of pods a Service selects.

    Raises:
        AbsentError: there is no such Service.
        ConfigurationError: there are several.
    """
    selectors = {each["metadata"]["name"]: each["spec"].get("selector") or {} for each in services}
    found = {name: labels for name, labels in selectors.items() if labels.get(traffic) not in {None, "canary"}}
    if not found:
        why = f"there is no Service with a selector for {traffic}"
        raise AbsentError(_FAILED, on=model, why=why, fix="Was it removed by hand? Deliver the model again.")
    if len(found) > 1:
        why = f"several Services carry its label: {', '.join(sorted(found))}"
        raise ConfigurationError(
            _FAILED, on=model, why=why, fix="Remove the label from those that Slipway did not make."
        )
    return dict(*found.values())


def verify_pods(pods: PodReader, golden: dict[str, Any], digest: str, api_key: str | None = None) -> list[str]:
    """Replay the golden rows of the bundle with this digest through every ready pod; returns the pods' names.

    Raises:
        RolloutError: a pod's answer differs, or another bundle gave it.
        UnavailableError: a pod does not answer, or none is ready.
    """
    ready = [pod.name for pod in pods.pods() if pod.ready]
    asked = [name for name in ready if _verify_pod(pods, name, golden, digest, api_key)]
    if not asked:
        fix = "Its pods' events say why: kubectl describe pod."
        raise UnavailableError(_FAILED, on="its pods", why="none that the Service selects is ready", fix=fix)
    return asked


def _verify_pod(pods: PodReader, name: str, golden: dict[str, Any], digest: str, api_key: str | None) -> bool:
    """False: it is gone."""
    try:
        with pods.opened(name) as url:
            replay(golden, digest, url, api_key)
    except (RolloutError, UnavailableError) as error:
        if isinstance(error, UnavailableError) and not is_ready(pods, name):
            return False
        # the address is a tunnel's, which tells nobody which pod it was
        raise type(error)(error.failed, on=f"pod {name}", why=error.why, fix=error.fix) from error
    return True
