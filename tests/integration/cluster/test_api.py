"""Reading, applying and deleting through the official client, over a socket."""

from __future__ import annotations

import json
import socket
import ssl
import threading

import kmock
import pytest
from aiohttp import web

from slipway.cluster.api import Cluster
from slipway.cluster.patience import Patience
from slipway.core.errors import (
    AbsentError,
    ConfigurationError,
    ConflictError,
    DeniedError,
    RejectedError,
    UnavailableError,
)
from tests.integration.cluster.conftest import Time
from tests.kube_api import NAMESPACE, UNKNOWN_KIND, KubeApi, Reply, api_client, not_found, raw, status

DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
IRIS = f"{DEPLOYMENTS}/iris"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
MANIFEST = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "iris"}, "spec": {"replicas": 2}}

THROTTLED = status(
    429, "TooManyRequests", "Too many requests, please try again later.", details={"retryAfterSeconds": 3},
    headers={"Retry-After": "3"},
)  # fmt: skip


def test_constructing_asks_nobody(api: KubeApi) -> None:
    made = []
    cluster = Cluster(lambda: made.append(1) or api_client(api), NAMESPACE, "staging")  # type: ignore[func-returns-value]
    assert (made, api.asked) == ([], [])
    cluster.find("Deployment", "iris")
    cluster.find("Deployment", "iris")
    assert len(made) == 1


def test_objects_are_read_as_they_are(api: KubeApi, cluster: Cluster) -> None:
    api.put(IRIS, {**MANIFEST, "spec": {"fieldOfNextYear": {"aB": 1}}})
    found = cluster.get("Deployment", "iris")
    assert found["spec"] == {"fieldOfNextYear": {"aB": 1}}
    assert api.asked[0].headers["Authorization"] == "Bearer token-of-slipway"
    assert api.asked[0].headers["User-Agent"] == "slipway"


def test_what_is_not_there_is_none_or_absent(cluster: Cluster) -> None:
    assert cluster.find("Deployment", "iris") is None
    with pytest.raises(AbsentError, match=r"Deployment/iris in models \(staging\): it does not exist"):
        cluster.get("Deployment", "iris")


def test_a_list_is_read_page_by_page_and_its_items_say_what_they_are(api: KubeApi, cluster: Cluster) -> None:
    api.page_size = 2
    for number in range(5):
        api.put(f"{PODS}/iris-{number}", {"metadata": {"labels": {"app": "iris", "odd": str(number % 2)}}})
    pods = cluster.list("Pod", {"app": "iris"})
    assert [pod["metadata"]["name"] for pod in pods] == [f"iris-{number}" for number in range(5)]
    assert {(pod["apiVersion"], pod["kind"]) for pod in pods} == {("v1", "Pod")}
    assert [request.params.get("continue") for request in api.asked] == [None, "2", "4"]
    assert len(cluster.list("Pod", {"app": "iris", "odd": "1"})) == 2


def test_a_list_whose_pages_expire_begins_again(api: KubeApi, cluster: Cluster) -> None:
    def page(name: str, token: str) -> dict[str, object]:
        return {"metadata": {"resourceVersion": "1", "continue": token}, "items": [{"metadata": {"name": name}}]}

    expired = status(410, "Expired", "The provided continue parameter is too old to display a consistent list result.")
    api.on("GET", PODS, page("a", "t"), expired, page("a", "t"), page("b", ""))
    assert [pod["metadata"]["name"] for pod in cluster.list("Pod")] == ["a", "b"]


def test_a_list_that_always_expires_is_read_in_one_piece(api: KubeApi, cluster: Cluster) -> None:
    async def answer(request: kmock.Request) -> web.StreamResponse:
        if "limit" in request.params:
            return status(410, "Expired", "The provided continue parameter is too old").response()
        return Reply(200, {"metadata": {}, "items": [{"metadata": {"name": "a"}}]}).response()

    api.on("GET", PODS, answer)
    assert len(cluster.list("Pod")) == 1


def test_an_optional_kind_that_the_cluster_does_not_know_is_an_empty_list(api: KubeApi, cluster: Cluster) -> None:
    api.unknown_kinds = {"httproutes", "horizontalpodautoscalers"}
    assert cluster.list("HTTPRoute") == []
    with pytest.raises(ConfigurationError, match=r"no HorizontalPodAutoscaler \(autoscaling/v2\)"):
        cluster.list("HorizontalPodAutoscaler")


def test_applying_is_server_side_strict_and_ours(api: KubeApi, cluster: Cluster) -> None:
    applied = cluster.apply({**MANIFEST, "metadata": {"name": "iris", "managedFields": [{"manager": "kubectl"}]}})
    (request,) = api.asked
    assert request.headers["Content-Type"] == "application/apply-patch+yaml"
    assert request.params == {"fieldManager": "slipway", "fieldValidation": "Strict"}
    assert json.loads(request.body)["metadata"] == {"name": "iris", "namespace": NAMESPACE}
    assert applied["metadata"]["uid"]


def test_a_dry_run_keeps_nothing(api: KubeApi, cluster: Cluster) -> None:
    would_be = cluster.apply(MANIFEST, dry_run=True, force=True)
    assert would_be["spec"] == {"replicas": 2}
    assert api.objects == {}
    assert (api.asked[0].params["dryRun"], api.asked[0].params["force"]) == ("All", "true")


def test_a_manifest_for_another_namespace_or_of_a_foreign_kind_is_refused_unsent(
    api: KubeApi, cluster: Cluster
) -> None:
    with pytest.raises(ConfigurationError, match="it is for the namespace kube-system"):
        cluster.apply({**MANIFEST, "metadata": {"name": "iris", "namespace": "kube-system"}})
    with pytest.raises(ConfigurationError, match=r"Deployment \(apps/v2\): Slipway does not manage"):
        cluster.apply({**MANIFEST, "apiVersion": "apps/v2"})
    assert api.asked == []


def test_a_conflict_names_every_field_and_its_owner(api: KubeApi, cluster: Cluster) -> None:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-client-side-apply" using apps/v1 at 2026-01-05T10:00:00Z',
            "field": '.spec.template.spec.containers[name="server"].image',
        },
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kube-controller-manager" with subresource "scale" using apps/v1',
            "field": ".spec.replicas",
        },
        {"reason": "FieldManagerConflict", "message": 'conflict with "argocd-controller"', "field": ".spec.paused"},
    ]
    message = "Apply failed with 3 conflicts: conflicts with ..."
    api.on("PATCH", IRIS, status(409, "Conflict", message, details={"causes": causes}))
    with pytest.raises(ConfigurationError) as caught:
        cluster.apply(MANIFEST)
    assert caught.value.why == (
        '.spec.template.spec.containers[name="server"].image belongs to kubectl-client-side-apply; '
        ".spec.replicas belongs to kube-controller-manager (through scale); .spec.paused belongs to argocd-controller"
    )
    assert "deploy.kubernetes.force_conflicts: true" in caught.value.fix


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (status(401, "Unauthorized", "Unauthorized"), DeniedError, "does not accept the connection's credentials"),
        (
            status(
                403,
                "Forbidden",
                'deployments.apps "iris" is forbidden: User "system:serviceaccount:airflow:worker" cannot patch resource '
                '"deployments" in API group "apps" in the namespace "models"',
                details={"name": "iris", "group": "apps", "kind": "deployments"},
            ),
            DeniedError,
            "may not patch deployments.apps in namespace models. Run `kubectl apply -n models -f serving/k8s/rbac/role.yaml`",
        ),
        (
            status(
                403,
                "Forbidden",
                'pods "iris-0" is forbidden: exceeded quota: compute, requested: requests.cpu=500m, '
                "used: requests.cpu=1, limited: requests.cpu=1",
            ),
            DeniedError,
            "exceeded quota: compute, requested: requests.cpu=500m",
        ),
        (
            status(
                403, "Forbidden", 'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nno latest tag'
            ),
            RejectedError,
            'admission webhook "validate.kyverno.svc-fail" denied the request: no latest tag',
        ),
        (
            status(
                422,
                "Invalid",
                "deployments.apps \"iris\" is forbidden: ValidatingAdmissionPolicy 'sizes' with binding 'all' denied request: "
                "failed expression: object.spec.replicas <= 5",
            ),
            RejectedError,
            "ValidatingAdmissionPolicy 'sizes'",
        ),
        (
            status(
                403, "Forbidden", 'pods "iris-0" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot'
            ),
            RejectedError,
            'violates PodSecurity "restricted:latest"',
        ),
        (
            status(
                403,
                "Forbidden",
                'deployments.apps "iris" is forbidden: unable to create new content in namespace models because it is being '
                "terminated",
                details={"name": "iris", "causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]},
            ),
            AbsentError,
            "The namespace is being deleted",
        ),
        (not_found("namespaces", "models"), AbsentError, "`kubectl create namespace models`"),
        (UNKNOWN_KIND, ConfigurationError, "this cluster has no Deployment (apps/v1)"),
        (
            status(404, "NotFound", "the server could not find the requested resource"),
            ConfigurationError,
            "this cluster has no Deployment (apps/v1)",
        ),
        (
            status(
                409,
                "Conflict",
                'Operation cannot be fulfilled on deployments.apps "iris": the object has been modified',
            ),
            ConflictError,
            "the object has been modified",
        ),
        (
            status(
                422,
                "Invalid",
                'Deployment.apps "iris" is invalid: spec.template.spec.containers[0].image: Required value',
                details={
                    "name": "iris",
                    "causes": [
                        {
                            "reason": "FieldValueRequired",
                            "message": "Required value",
                            "field": "spec.template.spec.containers[0].image",
                        },
                        {
                            "reason": "FieldValueInvalid",
                            "message": "Invalid value: -1: must be greater than or equal to 0",
                            "field": "spec.replicas",
                        },
                    ],
                },
            ),
            ConfigurationError,
            "spec.template.spec.containers[0].image: Required value; spec.replicas: Invalid value: -1: must be",
        ),
        (
            status(
                422,
                "Invalid",
                'Deployment.apps "iris" is invalid: spec.selector: Invalid value: field is immutable',
                details={"causes": [{"message": "Invalid value: {}: field is immutable", "field": "spec.selector"}]},
            ),
            ConfigurationError,
            "This field cannot be changed",
        ),
        (
            status(
                500,
                "",
                "failed to create typed patch object (models/iris; apps/v1, Kind=Deployment): .spec.replica: "
                "field not declared in schema",
            ),
            ConfigurationError,
            ".spec.replica: field not declared in schema",
        ),
        (
            status(400, "BadRequest", 'strict decoding error: unknown field "spec.replica"'),
            ConfigurationError,
            'unknown field "spec.replica"',
        ),
        (status(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"), ConfigurationError, "413"),
    ],
    ids=lambda value: value.reason if hasattr(value, "reason") else None,
)
def test_a_refused_apply_says_what_is_wrong_at_once(
    api: KubeApi, cluster: Cluster, time: Time, answer: Reply, kind: type[Exception], said: str
) -> None:
    api.on("PATCH", IRIS, answer)
    with pytest.raises(kind) as caught:
        cluster.apply(MANIFEST)
    assert said in str(caught.value)
    assert "Deployment/iris in models (staging)" in str(caught.value)
    assert time.slept == []


def test_deleting_is_in_the_background_and_only_of_what_was_seen(api: KubeApi, cluster: Cluster) -> None:
    uid = api.put(IRIS, MANIFEST)["metadata"]["uid"]
    with pytest.raises(ConflictError, match="UID in precondition: older"):
        cluster.delete("Deployment", "iris", uid="older")
    assert cluster.delete("Deployment", "iris", uid=uid) is True
    assert api.asked[-1].data["propagationPolicy"] == "Background"
    assert cluster.delete("Deployment", "iris", uid=uid) is False


def test_throttling_is_waited_out_as_long_as_the_api_asks(api: KubeApi, cluster: Cluster, time: Time) -> None:
    plain = Reply(429, b"Too many requests, please try again later.\n", {"Retry-After": "1"})
    api.on("GET", IRIS, THROTTLED, plain, {**MANIFEST})
    assert cluster.get("Deployment", "iris")["spec"] == {"replicas": 2}
    assert time.slept == [3.0, 1.0]


def test_throttling_past_the_deadline_is_unavailable(api: KubeApi, cluster: Cluster, time: Time) -> None:
    api.on("GET", IRIS, THROTTLED)
    with pytest.raises(UnavailableError, match=r"429 Too many requests.*tried 11 times in 30 seconds"):
        cluster.get("Deployment", "iris")
    assert time.slept == [3.0] * 10


def test_a_longer_wait_than_there_is_time_for_is_not_begun(api: KubeApi, cluster: Cluster, time: Time) -> None:
    api.on("GET", IRIS, Reply(503, b"<html>gateway</html>", {"Retry-After": "120"}))
    with pytest.raises(UnavailableError, match="503 gateway"):
        cluster.get("Deployment", "iris")
    assert time.slept == []


def test_a_server_error_and_a_cut_connection_are_tried_again(api: KubeApi, cluster: Cluster, time: Time) -> None:
    async def cut(request: kmock.Request) -> web.StreamResponse:
        transport = raw(request).transport
        assert transport is not None
        transport.abort()
        return web.Response()

    webhook = 'Internal error occurred: failed calling webhook "mutate.example": context deadline exceeded'
    api.on("PATCH", IRIS, status(500, "InternalError", webhook), cut, {**MANIFEST})
    assert cluster.apply(MANIFEST)["spec"] == {"replicas": 2}
    assert time.slept == [0.25, 0.5]


def test_a_webhook_that_never_answers_is_named(api: KubeApi, cluster: Cluster) -> None:
    webhook = 'Internal error occurred: failed calling webhook "mutate.example": context deadline exceeded'
    api.on("PATCH", IRIS, status(500, "InternalError", webhook))
    with pytest.raises(UnavailableError, match=r"mend the admission webhook mutate\.example"):
        cluster.apply(MANIFEST)


def test_nobody_listening_is_unavailable_after_the_patience(time: Time) -> None:
    from kubernetes.client import ApiClient, Configuration

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = ApiClient(Configuration(host=f"http://127.0.0.1:{port}"))
    cluster = Cluster(client, NAMESPACE, "staging", patience=Patience(1), clock=time.now, sleep=time.sleep)
    with pytest.raises(UnavailableError, match=r"Connection refused \(tried 3 times in 1 seconds\)"):
        cluster.version()


def test_a_server_that_speaks_no_tls_is_said_at_once(api: KubeApi, time: Time) -> None:
    from kubernetes.client import ApiClient, Configuration

    client = ApiClient(Configuration(host=api.address.replace("http://", "https://")))
    cluster = Cluster(client, NAMESPACE, "staging", clock=time.now, sleep=time.sleep)
    with pytest.raises(ConfigurationError, match="check the server's address"):
        cluster.version()
    assert time.slept == []


def test_a_certificate_of_another_authority_is_said_at_once(time: Time, certificate: tuple[str, str]) -> None:
    from kubernetes.client import ApiClient, Configuration

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, pytest.raises(OSError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        client = ApiClient(Configuration(host=f"https://127.0.0.1:{listener.getsockname()[1]}"))
        cluster = Cluster(client, NAMESPACE, "staging", clock=time.now, sleep=time.sleep)
        with pytest.raises(ConfigurationError, match=r"certificate verify failed.*take it anew"):
            cluster.version()
        thread.join(5)
    assert time.slept == []


def test_a_page_that_is_not_the_api_is_said(api: KubeApi, cluster: Cluster) -> None:
    api.on("GET", "/version", Reply(200, b"<html>Please log in</html>"))
    with pytest.raises(UnavailableError, match=r"what answered is not the Kubernetes API.*Please log in"):
        cluster.version()


def test_the_clusters_version(api: KubeApi, cluster: Cluster) -> None:
    api.on("GET", "/version", {"major": "1", "minor": "34", "gitVersion": "v1.34.1"})
    assert cluster.version() == "v1.34.1"


def test_logs_are_the_last_lines_of_one_container(api: KubeApi, cluster: Cluster) -> None:
    api.on("GET", f"{PODS}/iris-0/log", Reply(200, "naïve\nlast line\n".encode() + b"\xff"))
    assert cluster.logs("iris-0", "server", previous=True, lines=5) == "naïve\nlast line\n�"
    assert dict(api.asked[0].params) == {
        "container": "server",
        "tailLines": "5",
        "limitBytes": "65536",
        "previous": "true",
    }


@pytest.mark.parametrize(
    "answer",
    [
        status(400, "BadRequest", 'previous terminated container "server" in pod "iris-0" not found'),
        status(
            400,
            "BadRequest",
            'container "server" in pod "iris-0" is waiting to start: trying and failing to pull image',
        ),
        not_found("pods", "iris-0"),
    ],
)
def test_a_container_without_logs_has_none(api: KubeApi, cluster: Cluster, answer: Reply) -> None:
    api.on("GET", f"{PODS}/iris-0/log", answer)
    assert cluster.logs("iris-0", "server") == ""


def test_logs_that_we_may_not_read_are_denied(api: KubeApi, cluster: Cluster) -> None:
    said = 'pods "iris-0" is forbidden: User "jane" cannot get resource "pods/log" in API group "" in the namespace "models"'
    api.on("GET", f"{PODS}/iris-0/log", status(403, "Forbidden", said))
    with pytest.raises(DeniedError, match="jane may not get pods/log in namespace models"):
        cluster.logs("iris-0", "server")


def test_asking_what_we_may_do(api: KubeApi, cluster: Cluster) -> None:
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    api.on("POST", reviews, {"status": {"allowed": True}}, {"status": {"allowed": False, "reason": "no RBAC policy"}})
    assert cluster.can_i("create", "", "pods", "portforward") is True
    assert cluster.can_i("patch", "apps", "deployments") is False
    assert api.asked[0].data["spec"]["resourceAttributes"] == {
        "namespace": NAMESPACE,
        "verb": "create",
        "group": "",
        "resource": "pods",
        "subresource": "portforward",
    }


def test_the_given_client_is_left_as_it_was(api: KubeApi) -> None:
    client = api_client(api)
    Cluster(client, NAMESPACE).find("Deployment", "iris")
    assert client.configuration.retries is None
    assert client.user_agent != "slipway"
