"""Images that a node cannot pull: what the registry's or the network's answer means, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from slipway.rollout.kubernetes.judgement.event import Event, Events
from slipway.rollout.kubernetes.judgement.failure import Failed
from slipway.rollout.kubernetes.judgement.patience import Clock
from slipway.rollout.kubernetes.judgement.pod import Container, Pod
from slipway.rollout.kubernetes.judgement.wording import vendor_text

BACK_OFF = frozenset({"ImagePullBackOff"})
FIRST_TRY = frozenset({"ErrImagePull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"})
AT_ONCE = frozenset({"ErrImageNeverPull", "InvalidImageName"})
WAITING = BACK_OFF | FIRST_TRY | AT_ONCE

# What containerd and CRI-O wrap around the cause; each repeats the image's name.
_WRAPPING = re.compile(
    r"^(?:Back-off pulling image \"[^\"]*\"(?:: )?|Failed to pull image \"[^\"]*\": |ErrImagePull: "
    r"|rpc error: code = \w+ desc = |failed to pull and unpack image \"[^\"]*\": |failed to resolve reference \"[^\"]*\": "
    r"|failed to copy: |(?:Error r|r)eading manifest \S+ in \S+: |initializing source \S+: )+"
)
_SECRETS = re.compile(r"pull secrets \(([^)]+)\)")


@dataclass(frozen=True)
class _Cause:
    """A kind of answer; `passes`: it may mend itself."""

    why: str
    fix: str
    passes: bool = False


_LOGIN = (
    "Give the cluster a log-in for the registry: a Secret of type kubernetes.io/dockerconfigjson in the namespace, named by "
    "deploy.kubernetes.pull_secret; if it has one, renew its password and its right to pull."
)
_REACH = (
    "Let the cluster's nodes reach the registry (DNS, firewall, proxy), or set image.repository to one that they reach."
)

# The first that matches counts: "no match for platform in manifest: not found" is not an image that is missing, and "failed
# to authorize" may be for want of a network.
_CAUSES: tuple[tuple[str, _Cause], ...] = (
    (
        r"no match for platform|no image found in .*manifest list|does not match the specified platform",
        _Cause(
            "the image was not built for the node's processor architecture",
            "Build the image for the architecture of the cluster's nodes (kubectl get nodes -L kubernetes.io/arch).",
        ),
    ),
    (
        r"toomanyrequests|too many requests|\b429\b",
        _Cause(
            "the registry's rate limit is reached",
            "Let the cluster pull with a log-in (deploy.kubernetes.pull_secret), which has a higher limit, or from a registry "
            "of your own (image.repository); then run the rollout again.",
            passes=True,
        ),
    ),
    (
        r"pull QPS exceeded",
        _Cause(
            "the node pulls too many images at once",
            "Run the rollout again when the node is less busy, or raise registryPullQPS in the kubelet's configuration.",
            passes=True,
        ),
    ),
    (
        r"no such host|server misbehaving|name resolution",
        _Cause(
            "the node does not know the registry's host name",
            "Check the host in image.repository; it must be known to the DNS of the cluster's nodes, not only to the worker's.",
        ),
    ),
    (
        r"x509|certificate",
        _Cause(
            "the node does not trust the registry's certificate",
            "Have the nodes trust the authority that signed it (containerd: certs.d/<registry>/hosts.toml with `ca`), or give "
            "the registry a certificate of a public one.",
        ),
    ),
    (
        r"server gave HTTP response to HTTPS client",
        _Cause(
            "the registry speaks HTTP only, and the node asks by HTTPS",
            "Give the registry TLS, or allow HTTP for it on the nodes (containerd: certs.d/<registry>/hosts.toml).",
        ),
    ),
    (
        r"timeout|deadline exceeded|connection (?:refused|reset)|\bEOF\b|no route to host|unreachable|TLS handshake",
        _Cause(
            "the registry does not answer the node",
            _REACH,
            passes=True,
        ),
    ),
    (
        r"no space left on device",
        _Cause(
            "the node's disk is full",
            "Free disk space on the node, or give the nodes larger disks.",
        ),
    ),
    (
        r"unauthori[sz]ed|authentication required|access denied|denied: |is denied|insufficient_scope|no basic auth|\b40[13]\b",
        _Cause(
            "the registry does not let the cluster in",
            _LOGIN,
        ),
    ),
    (
        r"signature|policy.*reject|rejected by policy",
        _Cause(
            "the node's policy does not accept the image's signature",
            "Sign the image with a key that the policy accepts (image.signing_conn_id), or have the policy changed.",
        ),
    ),
    (
        r"not found|manifest unknown|name unknown|does not exist|not_found",
        _Cause(
            "the registry does not have this image",
            "Push the image again (clear the run's image task), and check that image.repository is where the cluster pulls "
            "from: a registry's clean-up may have removed the digest.",
        ),
    ),
    (
        r"\b50[0234]\b|internal server error|bad gateway|service unavailable",
        _Cause(
            "the registry fails",
            "Look at the registry's own log and state; run the rollout again when it is well.",
            passes=True,
        ),
    ),
)
_UNKNOWN = _Cause("the kubelet does not say why", _REACH)
_BY_WAITING = {
    "InvalidImageName": _Cause(
        "its name is not a valid image reference", "Correct image.repository in the model file."
    ),
    "ErrImageNeverPull": _Cause(
        "imagePullPolicy is Never and the node does not have it",
        "Set imagePullPolicy in serving/k8s/deployment.yaml back to IfNotPresent, or load the image onto every node.",
    ),
}


def find_image_failure(pod: Pod, container: Container, events: Events, clock: Clock) -> Failed | None:
    """The failure to pull a container's image, once it was tried again in vain (or trying again cannot help)."""
    if container.waiting not in WAITING:
        return None
    attempts = [event for event in events.about("Pod", pod.obj, "Failed", "BackOff") if _is_of(event, container)]
    failures = [event for event in attempts if event.message.startswith("Failed to pull image")]
    if container.waiting in FIRST_TRY and not _was_repeated(attempts, failures):
        return None
    cause, detail = _decode(container, failures)
    first = min((event.first for event in failures if event.first), default=pod.started)
    if cause.passes and not _has_lasted(first, clock):
        return None
    missing = _missing_secret(pod, events) if cause.fix == _LOGIN else ""
    where = f" on node {pod.node}" if pod.node else ""
    why = f"image {vendor_text(container.image)} cannot be pulled{where}: {cause.why}{missing}{detail}"
    return Failed("ImagePullBackOff", pod.on, why, cause.fix, pod.name)


def _is_of(event: Event, container: Container) -> bool:
    return event.container in {"", container.name}


def _was_repeated(attempts: list[Event], failures: list[Event]) -> bool:
    backed_off = any(event.message.startswith("Back-off pulling image") for event in attempts)
    return backed_off or sum(event.count for event in failures) > 1


def _has_lasted(first: datetime | None, clock: Clock) -> bool:
    return clock.lasted(first, clock.patience.pull_seconds)


def _decode(container: Container, failures: list[Event]) -> tuple[_Cause, str]:
    """The cause, and the vendor's words for it; older kubelets tell it in events only."""
    told = [container.waiting_message, *(event.message for event in reversed(failures))]
    bare = [words for message in told if (words := _WRAPPING.sub("", message).strip(" .:"))]
    if container.waiting in _BY_WAITING:
        return _BY_WAITING[container.waiting], _quoted(bare)
    for words in bare:
        for pattern, cause in _CAUSES:
            if re.search(pattern, words, re.IGNORECASE):
                return cause, _quoted([words])
    return (_Cause("the kubelet says", _REACH) if bare else _UNKNOWN), _quoted(bare)


def _quoted(words: list[str]) -> str:
    return f": {vendor_text(words[0])}" if words else ""


def _missing_secret(pod: Pod, events: Events) -> str:
    for event in reversed(events.about("Pod", pod.obj, "FailedToRetrieveImagePullSecret")):
        if named := _SECRETS.search(event.message):
            return f" (the namespace has no Secret {named[1]})"
    return ""
