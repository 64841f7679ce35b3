"""The stand-in cluster moves as a real one does: the same steps, conditions, reasons and texts."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cluster import Cluster as StandIn
from tests.cluster import fates, start_cluster
from tests.cluster.autoscalers import scale
from tests.cluster.controllers import Controllers
from tests.cluster.fates import Fate
from tests.cluster.kinds import KINDS
from tests.cluster.kubelets import ScriptedKubelet
from tests.cluster.owners import find_condition, owned
from tests.cluster.rolling import size_of_new, sizes_of_old
from tests.cluster.running import wait_until, with_controllers
from tests.cluster.scheduler import Node, why_unschedulable
from tests.cluster.service_table import ready_addresses
from tests.cluster.status import StatusError, forbidden
from tests.cluster.store import Object, Store


def deployment(image: str = "web:1", *, replicas: int = 2, name: str = "web", **spec: Any) -> Object:
    container = {"name": "server", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": rolling,
            "progressDeadlineSeconds": 600,
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
            **spec,
        },
    }


def service(name: str = "web") -> Object:
    port = {"name": "http", "port": 80, "targetPort": "http"}
    spec = {"selector": {"app": name}, "ports": [port]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def job(**spec: Any) -> Object:
    pod = {"restartPolicy": "Never", "containers": [{"name": "train", "image": "train:1"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "train", "namespace": "default"},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": {"app": "train"}}, "spec": pod}, **spec},
    }


def _image(pod: Object) -> str:
    return str(pod["spec"]["containers"][0]["image"])


class Cluster:
    """A cluster with controllers, and pods whose fate depends on their image."""

    def __init__(self, cluster: StandIn) -> None:
        self._cluster = cluster
        self.store = cluster.store
        self.fates: dict[str, Fate] = {}

    def start(self, **options: Any) -> None:
        self.kubelet = ScriptedKubelet(self.store, self._fate)
        with_controllers(self._cluster, self.kubelet, **options)

    def _fate(self, pod: Object) -> Fate:
        return self.fates.get(_image(pod), fates.ready())

    def get(self, kind: str = "Deployment", name: str = "web") -> Object:
        return self.store.get(kind, "default", name)

    def condition(self, type_: str, kind: str = "Deployment", name: str = "web") -> tuple[str, str, str] | None:
        found = find_condition(self.get(kind, name), type_)
        return (found["status"], found["reason"], found["message"]) if found else None

    def until(self, find: Callable[[], Any]) -> Any:
        return wait_until(self.store, find, 5)

    def roll_to(self, image: str) -> None:
        def change(obj: Object) -> None:
            obj["spec"]["template"]["spec"]["containers"][0]["image"] = image

        self.store.update("Deployment", "default", "web", change)

    def is_complete(self) -> bool:
        status, wanted = self.get().get("status", {}), self.get()["spec"]["replicas"]
        seen = status.get("observedGeneration") == self.get()["metadata"]["generation"]
        names = ("replicas", "updatedReplicas", "availableReplicas")
        return seen and all(status.get(name) == wanted for name in names)

    def events(self, reason: str) -> list[str]:
        return [event["message"] for event in self.store.list("Event") if event["reason"] == reason]

    def statuses(self) -> list[Object]:
        pods = self.store.list("Pod")
        return [each for pod in pods for each in pod.get("status", {}).get("containerStatuses", [])]

    def waiting(self, reason: str) -> Object | None:
        waiting = [each for each in self.statuses() if each["state"].get("waiting", {}).get("reason") == reason]
        return waiting[0] if waiting else None


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with start_cluster() as started:
        yield Cluster(started)


# ------------------------------------------------------------------------------------------------- Deployments


def test_a_deployment_becomes_available(cluster: Cluster) -> None:
    cluster.start()
    cluster.store.create(deployment())
    cluster.until(cluster.is_complete)
    (replica_set,) = cluster.store.list("ReplicaSet")
    name = replica_set["metadata"]["name"]
    assert cluster.condition("Available") == (
        "True",
        "MinimumReplicasAvailable",
        "Deployment has minimum availability.",
    )
    text = f'ReplicaSet "{name}" has successfully progressed.'
    assert cluster.condition("Progressing") == ("True", "NewReplicaSetAvailable", text)
    assert "unavailableReplicas" not in cluster.get()["status"]
    made = cluster.get()["metadata"]
    assert made["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert made["generation"] == 1
    pods = cluster.store.list("Pod")
    assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods} == {name.removeprefix("web-")}
    assert all(re.fullmatch(rf"{name}-[a-z0-9]{{5}}", pod["metadata"]["name"]) for pod in pods)
    assert cluster.events("ScalingReplicaSet") == [f"Scaled up replica set {name} from 0 to 2"]


def test_an_update_never_has_fewer_available_nor_more_pods_than_allowed(cluster: Cluster) -> None:
    cluster.start()
    cluster.store.create(deployment(replicas=3))
    cluster.until(cluster.is_complete)
    seen: list[tuple[int, int]] = []

    def notice(_: str, obj: Object) -> None:
        if obj["kind"] == "Pod":
            pods = [pod for pod in cluster.store.list("Pod") if "deletionTimestamp" not in pod["metadata"]]
            ready = sum((find_condition(pod, "Ready") or {}).get("status") == "True" for pod in pods)
            seen.append((len(pods), ready))

    cluster.store.subscribe(notice)
    cluster.roll_to("web:2")
    cluster.until(cluster.is_complete)
    assert max(pods for pods, _ in seen) == 4
    assert min(ready for _, ready in seen) == 3
    sizes = {_image(each["spec"]["template"]): each["spec"]["replicas"] for each in cluster.store.list("ReplicaSet")}
    assert sizes == {"web:1": 0, "web:2": 3}
    assert cluster.get()["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


def test_going_back_uses_the_old_replica_set_as_a_new_revision(cluster: Cluster) -> None:
    cluster.start()
    cluster.store.create(deployment())
    for image in ("web:2", "web:1"):
        cluster.until(cluster.is_complete)
        cluster.roll_to(image)
    cluster.until(cluster.is_complete)
    assert len(cluster.store.list("ReplicaSet")) == 2
    assert cluster.get()["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_only_so_many_old_replica_sets_are_kept(cluster: Cluster) -> None:
    cluster.start()
    cluster.store.create(deployment(revisionHistoryLimit=1))
    for image in ("web:2", "web:3"):
        cluster.until(cluster.is_complete)
        cluster.roll_to(image)
    cluster.until(cluster.is_complete)
    cluster.until(lambda: len(cluster.store.list("ReplicaSet")) == 2)
    images = {_image(each["spec"]["template"]) for each in cluster.store.list("ReplicaSet")}
    assert images == {"web:2", "web:3"}


def test_recreate_ends_every_old_pod_first(cluster: Cluster) -> None:
    cluster.start()
    cluster.store.create(deployment(strategy={"type": "Recreate"}))
    cluster.until(cluster.is_complete)
    together: list[set[str]] = []

    def notice(_: str, obj: Object) -> None:
        if obj["kind"] == "Pod":
            together.append({_image(pod) for pod in cluster.store.list("Pod")})

    cluster.store.subscribe(notice)
    cluster.roll_to("web:2")
    cluster.until(cluster.is_complete)
    assert {"web:1", "web:2"} not in together


def test_a_version_that_is_never_ready_leaves_the_old_one_and_misses_the_deadline(cluster: Cluster) -> None:
    cluster.fates["web:2"] = fates.never_ready(503)
    cluster.start()
    cluster.store.create(deployment(progressDeadlineSeconds=2))
    cluster.until(cluster.is_complete)
    cluster.roll_to("web:2")
    cluster.until(lambda: (cluster.condition("Progressing") or ("",))[0] == "False")
    _, reason, text = cluster.condition("Progressing") or ("", "", "")
    assert reason == "ProgressDeadlineExceeded"
    assert re.fullmatch(r'ReplicaSet "web-\w+" has timed out progressing\.', text)
    status = cluster.get()["status"]
    assert (status["availableReplicas"], status["updatedReplicas"], status["unavailableReplicas"]) == (2, 1, 1)
    assert (cluster.condition("Available") or ("",))[0] == "True"
    assert cluster.events("Unhealthy") == ["Readiness probe failed: HTTP probe failed with statuscode: 503"]
    old = next(pod for pod in cluster.store.list("Pod") if _image(pod) == "web:2")
    condition = find_condition(old, "Ready")
    assert condition is not None
    assert (condition["reason"], condition["message"]) == (
        "ContainersNotReady",
        "containers with unready status: [server]",
    )


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "new_first", "old_then"),
    [
        (2, "25%", "25%", 1, 2),  # 0.5 is rounded up for the surge, down for what may be missing
        (4, "25%", "25%", 1, 3),
        (10, "30%", "0%", 3, 10),
        (3, 0, 1, 0, 2),
        (1, 0, 0, 0, 0),  # both 0 would never move: one may be unavailable
        (5, "100%", 0, 5, 5),
    ],
)
def test_the_first_step_of_an_update(
    replicas: int, surge: str | int, unavailable: str | int, new_first: int, old_then: int
) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    wanted = deployment(replicas=replicas, strategy={"type": "RollingUpdate", "rollingUpdate": rolling})
    old = {"spec": {"replicas": replicas}, "status": {"availableReplicas": replicas}}
    size = size_of_new(wanted, None, [old])
    assert size == new_first
    assert sizes_of_old(wanted, {"spec": {"replicas": size}}, [old]) == [old_then]


def test_old_pods_that_are_not_available_go_first() -> None:
    wanted = deployment(replicas=3)
    good = {"spec": {"replicas": 3}, "status": {"availableReplicas": 3}}
    broken = {"spec": {"replicas": 1}, "status": {"availableReplicas": 0}}
    assert sizes_of_old(wanted, {"spec": {"replicas": 0}}, [good, broken]) == [3, 0]


# ----------------------------------------------------------------------------------------- pods that are refused


@pytest.mark.parametrize(
    "why",
    [
        "exceeded quota: compute, requested: limits.memory=1Gi, used: limits.memory=2Gi, limited: limits.memory=2Gi",
        'violates PodSecurity "restricted:latest": seccompProfile (pod or containers "server" must set it)',
    ],
)
def test_a_refused_pod_is_a_replica_failure(cluster: Cluster, why: str) -> None:
    def admit(pod: Object) -> None:
        if _image(pod) == "web:2":
            raise forbidden(KINDS["Pod"], pod["metadata"]["name"], why)

    cluster.start(admit=admit)
    cluster.store.create(deployment())
    cluster.until(cluster.is_complete)
    cluster.roll_to("web:2")
    _, reason, text = cluster.until(lambda: cluster.condition("ReplicaFailure"))
    assert reason == "FailedCreate"
    assert re.fullmatch(r'pods "web-\w+-\w{5}" is forbidden: ' + re.escape(why), text)
    assert cluster.events("FailedCreate")[0].startswith('Error creating: pods "web-')
    cluster.roll_to("web:1")
    cluster.until(lambda: cluster.is_complete() and cluster.condition("ReplicaFailure") is None)


def test_a_refusal_is_tried_again_less_and_less_often_until_it_is_lifted() -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    store, times = Store(clock=lambda: now[0]), []

    def admit(_: Object) -> None:
        times.append(now[0])
        if len(times) < 4:
            raise StatusError(400, 'admission webhook "policy.example.com" denied the request: no', reason="")

    controllers = Controllers(store, admit=admit)
    store.create(deployment(replicas=1))
    for _ in range(50):
        controllers.sync()
        now[0] += timedelta(milliseconds=10)
    pauses = [(later - sooner).total_seconds() for sooner, later in itertools.pairwise(times)]
    assert pauses == [0.05, 0.1, 0.2]
    assert len(store.list("Pod")) == 1
    (event,) = (event for event in store.list("Event") if event["reason"] == "FailedCreate")
    assert event["message"].startswith('Error creating: admission webhook "policy.example.com" denied')
    assert event["count"] == 3


# -------------------------------------------------------------------------------------------------- the scheduler


def test_a_pod_that_fits_nowhere_is_unschedulable_until_there_is_room(cluster: Cluster) -> None:
    cluster.start(nodes=[Node(cpu="2")])
    wanted = deployment(replicas=3)
    wanted["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "900m"}}
    cluster.store.create(wanted)
    (text,) = cluster.until(lambda: cluster.events("FailedScheduling"))
    assert text == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod."
    )
    conditions = [find_condition(pod, "PodScheduled") or {} for pod in cluster.store.list("Pod")]
    assert [each.get("reason") for each in conditions].count("Unschedulable") == 1
    scale(cluster.store, "default", "web", 2)
    cluster.until(cluster.is_complete)


def test_a_node_selector_is_honoured(cluster: Cluster) -> None:
    cluster.start(nodes=[Node("a"), Node("b", labels={"disk": "ssd"})])
    wanted = deployment()
    wanted["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    cluster.store.create(wanted)
    cluster.until(cluster.is_complete)
    assert {pod["spec"]["nodeName"] for pod in cluster.store.list("Pod")} == {"b"}
    text = why_unschedulable([["node(s) didn't match Pod's node affinity/selector"], ["Insufficient memory"]])
    assert text == (
        "0/2 nodes are available: 1 Insufficient memory, 1 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, "
        "1 Preemption is not helpful for scheduling."
    )


# ------------------------------------------------------------------------------------------------ fates of pods


def test_an_absent_image(cluster: Cluster) -> None:
    cluster.fates["web:1"] = fates.image_absent()
    cluster.start()
    cluster.store.create(deployment(replicas=1))
    status = cluster.until(lambda: cluster.waiting("ImagePullBackOff"))
    assert status["state"]["waiting"]["message"].startswith('Back-off pulling image "web:1": ErrImagePull: rpc error')
    assert "Error: ErrImagePull" in cluster.events("Failed")
    assert cluster.store.list("Pod")[0]["status"]["phase"] == "Pending"
    with pytest.raises(StatusError, match="waiting to start: trying and failing to pull image"):
        cluster.kubelet.logs(cluster.store.list("Pod")[0])


def test_a_crash_loop_and_what_it_wrote(cluster: Cluster) -> None:
    cluster.fates["web:1"] = fates.crash(3, logs="ValueError: no model\n")
    cluster.start()
    cluster.store.create(deployment(replicas=1))
    status = cluster.until(lambda: cluster.waiting("CrashLoopBackOff"))
    pod = cluster.store.list("Pod")[0]
    where = f"{pod['metadata']['name']}_default({pod['metadata']['uid']})"
    message = f"back-off 10s restarting failed container=server pod={where}"
    assert status["state"]["waiting"]["message"] == message
    assert (status["lastState"]["terminated"]["exitCode"], status["lastState"]["terminated"]["reason"]) == (3, "Error")
    assert status["restartCount"] >= 1
    assert pod["status"]["phase"] == "Running"
    assert cluster.kubelet.logs(pod, "server", previous=True) == "ValueError: no model\n"


def test_a_container_that_takes_too_much_memory(cluster: Cluster) -> None:
    cluster.fates["web:1"] = fates.oom()
    cluster.start()
    cluster.store.create(deployment(replicas=1))
    status = cluster.until(lambda: cluster.waiting("CrashLoopBackOff"))
    ended = status["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_a_configuration_that_is_not_there(cluster: Cluster) -> None:
    cluster.fates["web:1"] = fates.config_error('configmap "keys" not found')
    cluster.start()
    cluster.store.create(deployment(replicas=1))
    status = cluster.until(lambda: cluster.waiting("CreateContainerConfigError"))
    assert status["state"]["waiting"]["message"] == 'configmap "keys" not found'
    assert cluster.events("Failed") == ['Error: configmap "keys" not found']


def test_a_startup_probe_that_fails_restarts_the_container(cluster: Cluster) -> None:
    cluster.fates["web:1"] = fates.never_started()
    cluster.start()
    cluster.store.create(deployment(replicas=1))
    cluster.until(lambda: [each for each in cluster.statuses() if each["restartCount"] > 1])
    assert cluster.events("Killing")[0] == "Container server failed startup probe, will be restarted"


def test_a_deleted_pod_stays_for_its_time_and_is_no_endpoint_meanwhile(cluster: Cluster) -> None:
    cluster.fates["web:1"] = Fate(fates.ready().plan, stop_seconds=0.3)
    cluster.start()
    cluster.store.create(deployment(replicas=1))
    cluster.store.create(service())
    cluster.until(cluster.is_complete)
    (slice_,) = cluster.until(lambda: [each for each in cluster.store.list("EndpointSlice") if each["endpoints"]])
    cluster.until(lambda: cluster.store.list("EndpointSlice")[0]["endpoints"][0]["conditions"]["ready"])
    assert slice_["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    (pod,) = cluster.store.list("Pod")
    cluster.store.delete("Pod", "default", pod["metadata"]["name"])
    ending = {"ready": False, "serving": True, "terminating": True}
    cluster.until(lambda: ending in [e["conditions"] for e in cluster.store.list("EndpointSlice")[0]["endpoints"]])
    assert cluster.store.find("Pod", "default", pod["metadata"]["name"]) is not None
    cluster.until(lambda: cluster.store.find("Pod", "default", pod["metadata"]["name"]) is None)
    assert cluster.events("Killing") == ["Stopping container server"]
    cluster.until(cluster.is_complete)


# --------------------------------------------------------------------------------- Jobs, owners and autoscalers


def test_a_job_completes(cluster: Cluster) -> None:
    cluster.fates["train:1"] = fates.ends(0, logs="trained\n")
    cluster.start()
    cluster.store.create(job())
    found = cluster.until(lambda: cluster.condition("Complete", "Job", "train"))
    assert found == ("True", "CompletionsReached", "Reached expected number of succeeded pods")
    status = cluster.get("Job", "train")["status"]
    assert status["succeeded"] == 1
    assert "active" not in status
    (pod,) = owned(cluster.store, "Pod", cluster.get("Job", "train"))
    assert pod["status"]["phase"] == "Succeeded"
    assert cluster.kubelet.logs(pod) == "trained\n"


def test_a_job_fails_when_it_has_been_tried_often_enough(cluster: Cluster) -> None:
    cluster.fates["train:1"] = fates.ends(1)
    cluster.start()
    cluster.store.create(job(backoffLimit=1))
    found = cluster.until(lambda: cluster.condition("Failed", "Job", "train"))
    assert found == ("True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    assert cluster.get("Job", "train")["status"]["failed"] == 2
    assert {pod["status"]["phase"] for pod in cluster.store.list("Pod")} == {"Failed"}


def test_what_a_deployment_made_goes_with_it(cluster: Cluster) -> None:
    cluster.start()
    cluster.store.create(deployment())
    cluster.until(cluster.is_complete)
    cluster.store.delete("Deployment", "default", "web")
    cluster.until(lambda: not cluster.store.list("ReplicaSet") and not cluster.store.list("Pod"))


def test_deletion_in_the_foreground_waits_for_what_was_made(cluster: Cluster) -> None:
    cluster.fates["web:1"] = Fate(fates.ready().plan, stop_seconds=0.2)
    cluster.start()
    cluster.store.create(deployment())
    cluster.until(cluster.is_complete)
    cluster.store.delete("Deployment", "default", "web", propagation="Foreground")
    cluster.until(lambda: cluster.store.find("Deployment", "default", "web") is None)
    assert not cluster.store.list("Pod")


def test_what_is_in_a_namespace_goes_with_it(cluster: Cluster) -> None:
    cluster.start()
    cluster.store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "short"}})
    wanted = deployment()
    wanted["metadata"]["namespace"] = "short"
    cluster.store.create(wanted)
    cluster.until(lambda: len(cluster.store.list("Pod", "short")) == 2)
    cluster.store.delete("Namespace", "", "short")
    cluster.until(lambda: not any(cluster.store.list(kind, "short") for kind in ("Deployment", "ReplicaSet", "Pod")))


def test_a_quota_is_kept_and_said_to_be_exceeded(cluster: Cluster) -> None:
    quota = {
        "kind": "ResourceQuota",
        "metadata": {"name": "few", "namespace": "default"},
        "spec": {"hard": {"pods": "1"}},
    }
    cluster.start()
    cluster.store.create({"apiVersion": "v1", **quota})
    cluster.store.create(deployment())
    _, reason, text = cluster.until(lambda: cluster.condition("ReplicaFailure"))
    assert reason == "FailedCreate"
    assert text.endswith("is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1")


def test_connections_go_to_pods_that_end_only_where_there_is_no_other() -> None:
    def endpoint(address: str, **conditions: bool) -> Object:
        return {"addresses": [address], "conditions": conditions}

    ready = endpoint("10.0.0.1", ready=True, serving=True, terminating=False)
    ending = endpoint("10.0.0.2", ready=False, serving=True, terminating=True)
    broken = endpoint("10.0.0.3", ready=False, serving=False, terminating=False)
    ports = [{"name": "http", "port": 8080}]
    assert ready_addresses({"endpoints": [ready, ending, broken], "ports": ports}) == {"http": [("10.0.0.1", 8080)]}
    assert ready_addresses({"endpoints": [ending, broken], "ports": ports}) == {"http": [("10.0.0.2", 8080)]}
    assert ready_addresses({"endpoints": [broken], "ports": ports}) == {"http": []}


def test_an_autoscaler_keeps_to_its_limits_and_leaves_the_rest(cluster: Cluster) -> None:
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 4,
        },
    }
    cluster.start()
    cluster.store.create(deployment(replicas=1))
    cluster.store.create(autoscaler)
    cluster.until(lambda: cluster.get()["spec"]["replicas"] == 2 and cluster.is_complete())
    scale(cluster.store, "default", "web", 3)
    cluster.until(cluster.is_complete)
    status = cluster.until(lambda: cluster.get("HorizontalPodAutoscaler").get("status"))
    assert cluster.get()["spec"]["replicas"] == 3
    assert {each["type"] for each in status["conditions"]} == {"AbleToScale", "ScalingActive", "ScalingLimited"}


def test_the_deadline_is_measured_by_the_clock_of_the_cluster() -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    store = Store(clock=lambda: now[0])
    controllers = Controllers(store)
    store.create(deployment())

    def progress() -> str:
        for _ in range(4):
            controllers.sync()
        return str((find_condition(store.get("Deployment", "default", "web"), "Progressing") or {})["reason"])

    assert progress() == "ReplicaSetUpdated"
    now[0] += timedelta(seconds=600)
    assert progress() == "ReplicaSetUpdated"
    now[0] += timedelta(seconds=1)
    assert progress() == "ProgressDeadlineExceeded"
    stored = copy.deepcopy(store.list("ReplicaSet"))
    assert progress() == "ProgressDeadlineExceeded"
    assert store.list("ReplicaSet") == stored
