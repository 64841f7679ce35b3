"""What the API and the network say, as our errors; the answers' shapes are those of Kubernetes 1.33."""

from __future__ import annotations

import json
import socket
import ssl

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from slipway.cluster.errors import TRAINING, missing_api, translate, translate_status
from slipway.cluster.resources import RESOURCES
from slipway.cluster.status import Status
from slipway.core.errors import AbsentError, ConfigurationError, DeniedError, SlipwayError, UnavailableError


def forbidden(resource: str, group: str, namespace: str | None = "models", verb: str = "create") -> Status:
    said = f'x is forbidden: User "jane" cannot {verb} resource "{resource}" in API group "{group}"'
    return Status(
        403, said + (f' in the namespace "{namespace}"' if namespace else " at the cluster scope"), "Forbidden"
    )


@pytest.mark.parametrize(
    ("status", "file"),
    [
        (forbidden("deployments", "apps"), "role.yaml"),
        (forbidden("pods/portforward", ""), "role.yaml"),
        (forbidden("httproutes", "gateway.networking.k8s.io"), "gateway.yaml"),
        (forbidden("gateways", "gateway.networking.k8s.io"), "own_gateway.yaml"),
        (forbidden("ingresses", "networking.k8s.io"), "ingress.yaml"),
        (forbidden("networkpolicies", "networking.k8s.io"), "role.yaml"),
    ],
)
def test_a_missing_permission_names_the_role_to_apply(status: Status, file: str) -> None:
    error = translate_status(status, "could not apply", "x")
    assert isinstance(error, DeniedError)
    assert f"kubectl apply -n models -f serving/k8s/rbac/{file}" in error.fix


@pytest.mark.parametrize(
    "status",
    [
        forbidden("pods", ""),
        Status(403, 'pods "m" is forbidden: exceeded quota: compute', "Forbidden"),
        Status(403, 'pods "m" is forbidden: violates PodSecurity "restricted:latest": ...', "Forbidden"),
        Status(404, 'namespaces "models" not found', "NotFound", {"kind": "namespaces", "name": "models"}),
        Status(422, "Pod is invalid", "Invalid", {"causes": [{"field": "spec", "message": "no"}]}),
        Status(400, "strict decoding error: unknown field", "BadRequest"),
        Status(400, "bad request", "BadRequest"),
    ],
    ids=lambda status: status.message[:40],
)
def test_the_advice_for_a_training_pod_names_its_own_section_and_role(status: Status) -> None:
    advice = translate_status(status, "could not train", "x", purpose=TRAINING).fix
    assert "train.pod" in advice or "rbac/training.yaml" in advice
    assert "deploy.kubernetes" not in advice
    assert "serving/k8s" not in advice.replace("serving/k8s/rbac/training.yaml", "")
    serving = translate_status(status, "could not apply", "x").fix
    assert "deploy.kubernetes" in serving or "rbac/role.yaml" in serving


def test_a_permission_of_the_whole_cluster_is_said_to_be_one() -> None:
    error = translate_status(forbidden("namespaces", "", None), "could not look", "x")
    assert error.why == "jane may not create namespaces in the whole cluster"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("HTTPRoute", "Install the Gateway API"),
        ("Gateway", "or change deploy.kubernetes.expose to ingress or load_balancer"),
        ("Ingress", "change deploy.kubernetes.expose"),
        ("PodDisruptionBudget", "Kubernetes 1.30 or newer"),
    ],
)
def test_a_missing_api_says_what_to_install_or_change(kind: str, said: str) -> None:
    error = missing_api(RESOURCES[kind], "could not apply", "x")
    assert isinstance(error, ConfigurationError)
    assert said in str(error)
    assert RESOURCES[kind].api_version in error.why


def test_many_conflicts_are_told_up_to_twenty() -> None:
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl"', "field": f".data.k{number}"}
        for number in range(25)
    ]
    error = translate_status(Status(409, "Apply failed", "Conflict", {"causes": causes}), "could not apply", "x")
    assert error.why.endswith(".data.k19 belongs to kubectl and 5 more")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), UnavailableError, "Connection reset by peer"),
        (TimeoutError(), UnavailableError, "TimeoutError"),
        (socket.gaierror(-2, "Name or service not known"), UnavailableError, "Name or service not known"),
        (
            urllib3.exceptions.MaxRetryError(
                urllib3.HTTPConnectionPool("h"),
                "/",
                urllib3.exceptions.SSLError(ssl.SSLError("[SSL] wrong version number")),
            ),
            ConfigurationError,
            "check the server's address",
        ),
        (
            ssl.SSLCertVerificationError(
                "certificate verify failed: Hostname mismatch, certificate is not valid for 'h'"
            ),
            ConfigurationError,
            "certificate for this name",
        ),
        (
            ssl.SSLError("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] certificate required"),
            DeniedError,
            "client certificate",
        ),
        (
            ssl.SSLError("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] sslv3 alert bad certificate"),
            DeniedError,
            "client certificate",
        ),
        (ssl.SSLError("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca"), DeniedError, "client certificate"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_the_networks_own_errors(error: Exception, kind: type[SlipwayError], said: str) -> None:
    translated = translate(error, "could not reach the cluster", "staging")
    assert type(translated) is kind
    assert said in str(translated)


def test_the_clients_own_exception_is_understood() -> None:
    from kubernetes.client.exceptions import ApiException

    error = ApiException(404, "Not Found")
    error.body = json.dumps({"kind": "Status", "code": 404, "details": {"kind": "namespaces", "name": "models"}})
    error.headers = {}
    assert isinstance(translate(error, "could not apply", "x"), AbsentError)


def test_an_error_of_ours_stays_what_it_is() -> None:
    error = AbsentError("a", on="b", why="c", fix="d")
    assert translate(error, "x", "y") is error


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", ""),
        (b"404 page not found\n", "404 page not found"),
        (
            b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>",
            "503 Service Temporarily Unavailable",
        ),
        (b'{"kind": "Pod"}', '{"kind": "Pod"}'),
        (b"[1]", "[1]"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"kind": "Status", "message": null, "details": null}', ""),
    ],
)
def test_bodies_that_are_no_status_are_read_as_text(body: bytes, message: str) -> None:
    assert Status.read(503, body).message == message


@given(st.integers(300, 599), st.text(max_size=2000))
def test_every_answer_becomes_one_of_our_errors_of_bounded_length(code: int, text: str) -> None:
    error = translate_status(Status.read(code, text), "could not apply", "x")
    assert isinstance(error, SlipwayError)
    assert len(str(error)) < 1200
    assert "\n" not in str(error)


@given(st.text(max_size=200), st.text(max_size=200))
def test_every_status_object_becomes_one_of_our_errors(message: str, field: str) -> None:
    causes = [{"reason": "FieldManagerConflict", "message": message, "field": field}]
    for code in (400, 401, 403, 404, 409, 410, 422, 429, 500, 503):
        status = Status(code, message, "Reason", {"causes": causes, "name": field})
        assert isinstance(translate_status(status, "could not apply", "x"), SlipwayError)
