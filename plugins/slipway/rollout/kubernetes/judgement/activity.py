"""What the new version's pods are doing, in a few words for whoever watches a rollout."""

from __future__ import annotations

from dataclasses import replace

from slipway.rollout.kubernetes.judgement.api_object import condition, text
from slipway.rollout.kubernetes.judgement.creation_failure import find_creation_failure
from slipway.rollout.kubernetes.judgement.event import Events
from slipway.rollout.kubernetes.judgement.image_failure import WAITING as NO_IMAGE
from slipway.rollout.kubernetes.judgement.patience import NONE, Clock
from slipway.rollout.kubernetes.judgement.pod import Container, Pod
from slipway.rollout.kubernetes.judgement.rollout import Rollout
from slipway.rollout.kubernetes.judgement.scheduling_failure import decode


def describe_activity(rollout: Rollout, events: Events, clock: Clock) -> str:
    """What is waited for, e.g. ``"pulling the image on node x"``; an empty string if nothing tells."""
    if rollout.is_paused:
        return "the Deployment is paused: kubectl rollout resume lets it go on"
    if rollout.wanted == 0:
        return "the Deployment is scaled to 0, and somebody has to scale it up"
    waiting = [pod for pod in rollout.new_pods if not pod.is_ready]
    told = (words for pod in waiting if (words := _of_pod(pod, events)))
    return next(told, "") or _of_refusal(rollout, events, clock)


def _of_refusal(rollout: Rollout, events: Events, clock: Clock) -> str:
    refused = find_creation_failure(rollout, events, replace(clock, patience=NONE))
    return f"no pod can be created yet: {refused.why}" if refused else ""


def _of_pod(pod: Pod, events: Events) -> str:
    scheduled = condition(pod.obj, "PodScheduled")
    if text(scheduled, "status") == "False":
        return f"no node yet for {pod.name}: {decode(text(scheduled, 'message'))}"
    where = f" on node {pod.node}" if pod.node else ""
    told = (words for container in pod.containers() if (words := _of_container(pod, container, events, where)))
    return next(told, "")


def _of_container(pod: Pod, container: Container, events: Events, where: str) -> str:
    if container.ready:
        return ""
    if container.waiting in NO_IMAGE:
        return f"the image could not be pulled yet{where}"
    if container.restarts and container.ending:
        return f"{container.name} was started again{where} ({container.ending.said})"
    if container.is_running:
        return f"{container.name} {'is starting' if container.is_starting else 'has yet to get ready'}{where}"
    creating = container.waiting in {"ContainerCreating", "PodInitializing"}
    return f"{_of_creation(pod, events)}{where}" if creating else ""


def _of_creation(pod: Pod, events: Events) -> str:
    told = events.about("Pod", pod.obj, "Pulling", "Pulled", "FailedMount", "FailedCreatePodSandBox")
    if not told:
        return "creating the container"
    return {"Pulling": "pulling the image", "Pulled": "creating the container"}.get(
        told[-1].reason, "waiting for the pod's volumes or network"
    )
