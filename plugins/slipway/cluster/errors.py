"""What the Kubernetes API, its clients and the network say when something fails, as our errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from slipway.cluster.minimum_version import MINIMUM_TEXT
from slipway.cluster.resources import OPTIONAL_KINDS, Resource
from slipway.cluster.status import ApiError, Status, innermost, shown
from slipway.core.errors import (
    AbsentError,
    ConfigurationError,
    ConflictError,
    DeniedError,
    RejectedError,
    SlipwayError,
    UnavailableError,
)


@dataclass(frozen=True)
class Purpose:
    """What the cluster is asked for: what the advice of an error names.

    Attributes:
        section: of the model file.
        role: file in serving/k8s/rbac/ whose Role is needed for it.
        amounts: keys of the section that say how much is asked for.
        manifests: where else what is sent comes from; may be empty.
    """

    section: str
    role: str
    amounts: str
    manifests: str = ""

    def fill(self, advice: str) -> str:
        """The advice with these names in it."""
        return advice.format(section=self.section, amounts=self.amounts, manifests=self.manifests)


SERVING = Purpose("deploy.kubernetes", "role", "replicas, cpu or memory", " or serving/k8s")
TRAINING = Purpose("train.pod", "training", "cpu, memory or disk")

_CAUSES = 20

_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_OWNER = re.compile(r'conflicts? with "(?P<manager>[^"]*)"(?: with subresource "(?P<subresource>[^"]*)")?')
_WEBHOOK_CALL = re.compile(r'failed calling (?:admission )?webhook "(?P<name>[^"]*)"')
# Of kinds that a Role beside role.yaml is for.
_ROLE_FILES = {"httproutes": "gateway", "gateways": "own_gateway", "ingresses": "ingress"}

# What the API says, whatever the status it says it with: the class of error, and what the reader should do.
_SAYINGS: tuple[tuple[str, type[SlipwayError], str], ...] = (
    (
        r"admission webhook .* denied|ValidatingAdmissionPolicy .* denied",
        RejectedError,
        "This cluster's own rules say no: change {section} to keep them, or ask who runs the cluster.",
    ),
    (
        r"exceeded quota|failed quota",
        DeniedError,
        "Lower {amounts} of {section}, or ask who runs the namespace for more of that quota.",
    ),
    (
        r"violates PodSecurity|(?:maximum|minimum) \S+ usage per",
        RejectedError,
        "Change {section} so that it keeps this rule of the namespace, or ask who runs it.",
    ),
    (
        r"because it is being terminated",
        AbsentError,
        "The namespace is being deleted; create it again, or name another in {section}.namespace.",
    ),
    (
        r"field not declared in schema|strict decoding error|failed to create typed patch object",
        ConfigurationError,
        "This version of Kubernetes has no such field: correct what names it in {section}{manifests}, or update the cluster.",
    ),
)
_TLS = (
    (
        r"certificate verify failed|doesn't match|hostname mismatch",
        ConfigurationError,
        "The kubeconfig's authority did not sign the cluster's certificate for this name: take it anew from the cluster.",
    ),
    (
        r"alert (?:bad|unknown|expired|revoked)? ?(?:certificate|ca)|certificate required|certificate expired",
        DeniedError,
        "The cluster refuses the connection's client certificate: take the kubeconfig anew from the cluster.",
    ),
    (
        r"wrong version number|record layer failure|unexpected eof|ssl|tls",
        ConfigurationError,
        "What answers there does not speak TLS as Kubernetes does: check the server's address in the kubeconfig.",
    ),
)


def translate(error: Exception, failed: str, on: str, purpose: Purpose = SERVING) -> SlipwayError:
    """Our error for one of a Kubernetes client, of HTTP or of the network; `failed` and `on` say what was done to what."""
    if isinstance(error, SlipwayError):
        return error
    if isinstance(error, ApiError):
        return translate_status(error.status, failed, on, _tries(error), purpose)
    if getattr(error, "status", None):
        answer: Any = error
        status = Status.read(int(answer.status), answer.body, answer.headers)
        return translate_status(status, failed, on, purpose=purpose)
    text = innermost(error)
    for pattern, kind, fix in _TLS if re.search(r"ssl|tls|certificate", text, re.IGNORECASE) else ():
        if re.search(pattern, text, re.IGNORECASE):
            return kind(failed, on=on, why=shown(text), fix=fix)
    fix = "Check address, network and firewall between Airflow and the cluster, then clear this task."
    return UnavailableError(failed, on=on, why=shown(text) + _tries(error), fix=fix)


def translate_status(status: Status, failed: str, on: str, tries: str = "", purpose: Purpose = SERVING) -> SlipwayError:
    """Our error for an answer of the API; `tries` says how often it was asked."""
    for pattern, kind, fix in _SAYINGS:
        if re.search(pattern, status.message, re.DOTALL):
            return kind(failed, on=on, why=shown(status.message), fix=purpose.fill(fix))
    if status.code in _BY_CODE:
        return _BY_CODE[status.code](status, failed, on, purpose)
    return _translate_other(status, failed, on, tries, purpose)


def missing_api(resource: Resource, failed: str, on: str) -> SlipwayError:
    """The cluster does not serve a kind: which API is missing, and what to do."""
    why = f"this cluster has no {resource.kind} ({resource.api_version})"
    if resource.group == "gateway.networking.k8s.io":
        fix = (
            "Install the Gateway API (standard channel, https://gateway-api.sigs.k8s.io/guides/) and a controller for it, "
            "or change deploy.kubernetes.expose to ingress or load_balancer."
        )
    elif resource.kind in OPTIONAL_KINDS:
        fix = "Update the cluster, or change deploy.kubernetes.expose."
    else:
        fix = f"Slipway needs Kubernetes {MINIMUM_TEXT} or newer: check that the connection's address is the API server's."
    return ConfigurationError(failed, on=on, why=why, fix=fix)


def _translate_unauthorized(status: Status, failed: str, on: str, _: Purpose) -> SlipwayError:
    why = f"the cluster does not accept the connection's credentials ({shown(status.message) or 'Unauthorized'})"
    return DeniedError(
        failed, on=on, why=why, fix="Give the connection a kubeconfig whose token or certificate is valid."
    )


def _translate_forbidden(status: Status, failed: str, on: str, purpose: Purpose) -> SlipwayError:
    match = _FORBIDDEN.search(status.message)
    if match is None:
        fix = "Ask who runs the cluster for what it names; serving/k8s/rbac holds the Roles that Slipway needs."
        return DeniedError(failed, on=on, why=shown(status.message), fix=fix)
    said = match.groupdict()
    resource = f"{said['resource']}.{said['group']}" if said["group"] else said["resource"]
    where = f"in namespace {said['namespace']}" if said["namespace"] else "in the whole cluster"
    namespace = f" -n {said['namespace']}" if said["namespace"] else ""
    file = _ROLE_FILES.get(said["resource"].split("/")[0], purpose.role)
    fix = f"Run `kubectl apply{namespace} -f serving/k8s/rbac/{file}.yaml` and bind that Role to it with a RoleBinding."
    return DeniedError(failed, on=on, why=f"{said['user']} may not {said['verb']} {resource} {where}", fix=fix)


def _translate_not_found(status: Status, failed: str, on: str, purpose: Purpose) -> SlipwayError:
    name = status.details.get("name")
    if status.details.get("kind") == "namespaces":
        fix = f"Run `kubectl create namespace {name}`, or name another in {purpose.section}.namespace."
        return AbsentError(failed, on=on, why=f"there is no namespace {name}", fix=fix)
    if name:
        fix = "Somebody may have removed it meanwhile; clear this task to make it again."
        return AbsentError(failed, on=on, why=shown(status.message), fix=fix)
    fix = "Check the server's address in the connection's kubeconfig, and that the cluster has this kind of object."
    return AbsentError(failed, on=on, why=shown(status.message) or "404 Not Found", fix=fix)


def _translate_conflict(status: Status, failed: str, on: str, purpose: Purpose) -> SlipwayError:
    owned = [cause for cause in status.causes if cause.get("reason") == "FieldManagerConflict"]
    if not owned:
        return ConflictError(
            failed, on=on, why=shown(status.message), fix="Clear this task to try again from fresh state."
        )
    told = [f"{cause.get('field')} belongs to {_owner(str(cause.get('message')))}" for cause in owned]
    more = f" and {len(told) - _CAUSES} more" if len(told) > _CAUSES else ""
    fix = f"Let the other owner give the fields up, or set {purpose.section}.force_conflicts: true to take them over for good."
    return ConfigurationError(failed, on=on, why="; ".join(told[:_CAUSES]) + more, fix=fix)


def _translate_invalid(status: Status, failed: str, on: str, purpose: Purpose) -> SlipwayError:
    told = [f"{cause.get('field')}: {shown(str(cause.get('message')))}" for cause in status.causes[:_CAUSES]]
    fix = purpose.fill("Correct what it names in {section}{manifests}.")
    if any("field is immutable" in str(cause.get("message")) for cause in status.causes):
        fix = "This field cannot be changed: delete the object if nothing else needs it, then clear this task."
    return ConfigurationError(failed, on=on, why="; ".join(told) or shown(status.message), fix=fix)


def _translate_other(status: Status, failed: str, on: str, tries: str, purpose: Purpose) -> SlipwayError:
    if match := _WEBHOOK_CALL.search(status.message):
        fix = f"Ask who runs the cluster to mend the admission webhook {match['name']}, then clear this task."
        return UnavailableError(failed, on=on, why=shown(status.message) + tries, fix=fix)
    why = f"{status.code} {shown(status.message) or status.reason}".strip()
    if 400 <= status.code < 500 and status.code not in {408, 410, 429}:
        fix = purpose.fill("Correct what it names in {section}{manifests}.")
        return ConfigurationError(failed, on=on, why=why, fix=fix)
    return UnavailableError(failed, on=on, why=why + tries, fix="Clear this task when the cluster's API answers again.")


_BY_CODE = {
    401: _translate_unauthorized,
    403: _translate_forbidden,
    404: _translate_not_found,
    409: _translate_conflict,
    422: _translate_invalid,
}


def _owner(message: str) -> str:
    match = _OWNER.search(message)
    if match is None:
        return shown(message)
    return f"{match['manager']} (through {match['subresource']})" if match["subresource"] else match["manager"]


def _tries(error: Exception) -> str:
    return "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
