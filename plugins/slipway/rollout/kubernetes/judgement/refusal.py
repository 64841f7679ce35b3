"""What the API server means by refusing a pod: quotas, limits, Pod Security, admission webhooks and policies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slipway.rollout.kubernetes.judgement.failure import Reason
from slipway.rollout.kubernetes.judgement.wording import vendor_text

_ASK = "Ask who runs it to let this workload through, or change serving/k8s/deployment.yaml as it asks."

_LOWER = (
    ", or lower what a pod asks for (deploy.kubernetes.cpu, cpu_limit, memory): new pods need room beside the old ones, which "
    "serve until those are ready."
)


@dataclass(frozen=True)
class Refusal:
    """A refusal: its class, the cause, what to do, and whether it may pass by itself."""

    reason: Reason
    why: str
    fix: str
    passes: bool


def _quota(match: re.Match[str]) -> Refusal:
    asked, used, limit = (_amounts(match[group]) for group in ("asked", "used", "limit"))
    named = ", ".join(
        f"{key}: {asked[key]} wanted, {used.get(key, '?')} of {limit.get(key, '?')} used" for key in asked
    )
    fix = f"Have the ResourceQuota {match['name']} raised, or free some of it{'.' if _is_of_objects(asked) else _LOWER}"
    return Refusal("QuotaExceeded", f"the namespace's quota {match['name']} is used up ({named})", fix, passes=True)


def _is_of_objects(asked: Mapping[str, str]) -> bool:
    """Whether the quota counts objects rather than what they take."""
    return all(key == "pods" or key.startswith("count/") for key in asked)


def _quota_wants(match: re.Match[str]) -> Refusal:
    why = f"the namespace's quota {match['name']} wants every container to state {vendor_text(match['what'])}"
    fix = "State it in serving/k8s/deployment.yaml or the model file (deploy.kubernetes.cpu, cpu_limit, memory)."
    return Refusal("QuotaExceeded", why, fix, passes=False)


def _limit_range(match: re.Match[str]) -> Refusal:
    why = f"the namespace's LimitRange forbids it: {vendor_text(match['what'])}"
    fix = "Keep deploy.kubernetes.cpu, cpu_limit and memory within the LimitRange, or have it changed."
    return Refusal("QuotaExceeded", why, fix, passes=False)


def _pod_security(match: re.Match[str]) -> Refusal:
    why = f'the namespace enforces the Pod Security Standard "{match["level"]}": {vendor_text(match["what"], 400)}'
    fix = (
        "Undo in serving/k8s/deployment.yaml what is named here (as it comes it satisfies restricted), or have the webhook "
        "changed that puts it into pods."
    )
    return Refusal("PodSecurity", why, fix, passes=False)


def _security_context(match: re.Match[str]) -> Refusal:
    why = f"no SecurityContextConstraint of the cluster admits the pod: {vendor_text(match['what'], 400)}"
    fix = "Let the namespace's service accounts use the constraint restricted-v2, or give the pod a user in its range."
    return Refusal("PodSecurity", why, fix, passes=False)


def _webhook(match: re.Match[str]) -> Refusal:
    why = f'admission webhook "{match["name"]}" denied the pod: {vendor_text(match["what"], 400)}'
    return Refusal("WebhookDenied", why, _ASK, passes=False)


def _policy(match: re.Match[str]) -> Refusal:
    why = f'the ValidatingAdmissionPolicy "{match["name"]}" denied the pod: {vendor_text(match["what"], 400)}'
    return Refusal("WebhookDenied", why, _ASK, passes=False)


def _webhook_down(match: re.Match[str]) -> Refusal:
    why = f'admission webhook "{match["name"]}" does not answer, and without it no pod is created: {vendor_text(match["what"])}'
    fix = "Ask who runs the webhook to bring it back; then run the rollout again."
    return Refusal("WebhookDenied", why, fix, passes=True)


def _service_account(match: re.Match[str]) -> Refusal:
    why = f"the service account {match['name']} does not exist"
    fix = "Run the rollout again: it applies the service account. If it is removed again, find out who removes it."
    return Refusal("ConfigError", why, fix, passes=True)


# The first that matches counts. Quoted names of others may contain anything but a quote.
_KINDS: tuple[tuple[str, Callable[[re.Match[str]], Refusal]], ...] = (
    (
        r"exceeded quota: (?P<name>[^,]+), requested: (?P<asked>.*?), used: (?P<used>.*?), limited: (?P<limit>[^;\]]*)",
        _quota,
    ),
    (r"failed quota: (?P<name>[^:]+): must specify (?P<what>.*)", _quota_wants),
    (r"violates PodSecurity \"(?P<level>[^\"]*)\": (?P<what>.*)", _pod_security),
    (r"unable to validate against any security context constraint: (?P<what>.*)", _security_context),
    (r"admission webhook \"(?P<name>[^\"]*)\" denied the request(?: without explanation|: )?(?P<what>.*)", _webhook),
    (r"ValidatingAdmissionPolicy '(?P<name>[^']*)' with binding '[^']*' denied request: (?P<what>.*)", _policy),
    (r"failed calling webhook \"(?P<name>[^\"]*)\": (?P<what>.*)", _webhook_down),
    (r"error looking up service account (?P<name>[^\s:]+)", _service_account),
    (r"is forbidden: (?P<what>\[?(?:maximum|minimum|\S+ max limit to request ratio).*)", _limit_range),
)
_REFUSED = re.compile(r"is (?:forbidden|invalid): (.*)", re.DOTALL)


def find_refusal(message: str) -> Refusal | None:
    """What a message of the API server's refusal means; None if it is none (an overloaded API server, for one)."""
    for pattern, read in _KINDS:
        if match := re.search(pattern, message, re.DOTALL):
            return read(match)
    if match := _REFUSED.search(message):
        why = f"the cluster refuses to create the pod: {vendor_text(match[1])}"
        fix = "Correct what the message names in serving/k8s/deployment.yaml, or have the cluster's rule changed."
        return Refusal("ConfigError", why, fix, passes=True)
    return None


def _amounts(text: str) -> dict[str, str]:
    """``"limits.memory=2Gi,pods=1"`` as a mapping."""
    pairs = (item.partition("=") for item in text.split(","))
    return {key.strip(): value.strip() for key, found, value in pairs if found}
