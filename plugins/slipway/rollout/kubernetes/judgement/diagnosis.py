"""Everything that is wrong with a rollout's new version."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.rollout.kubernetes.judgement.config_failure import find_config_failure
from slipway.rollout.kubernetes.judgement.crash_failure import find_crash, find_memory_failure
from slipway.rollout.kubernetes.judgement.creation_failure import find_creation_failure
from slipway.rollout.kubernetes.judgement.event import Events
from slipway.rollout.kubernetes.judgement.failure import Failed
from slipway.rollout.kubernetes.judgement.image_failure import find_image_failure
from slipway.rollout.kubernetes.judgement.node_failure import find_losses, find_setup_failure
from slipway.rollout.kubernetes.judgement.patience import Clock
from slipway.rollout.kubernetes.judgement.pod import Pod
from slipway.rollout.kubernetes.judgement.probe_failure import find_probe_failure
from slipway.rollout.kubernetes.judgement.rollout import Rollout
from slipway.rollout.kubernetes.judgement.scheduling_failure import find_scheduling_failure


def find_failures(rollout: Rollout, events: Events, clock: Clock) -> list[Failed]:
    """Every failure of the new ReplicaSet and its pods, in no particular order."""
    found = [failure for pod in rollout.new_pods for failure in _of_pod(pod, events, clock)]
    found += [find_creation_failure(rollout, events, clock), find_losses(rollout.all_new_pods)]
    return [failure for failure in found if failure]


def _of_pod(pod: Pod, events: Events, clock: Clock) -> Iterator[Failed | None]:
    yield find_scheduling_failure(pod, events, clock)
    yield find_setup_failure(pod, events, clock)
    for container in pod.containers():
        yield find_image_failure(pod, container, events, clock)
        yield find_config_failure(pod, container)
        yield find_memory_failure(pod, container, clock)
        yield find_probe_failure(pod, container, events, clock)
        yield find_crash(pod, container, events, clock)
