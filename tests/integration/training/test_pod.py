"""Training in a pod: the pod's command as a real process, the operator through the real client against an API on a socket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from slipway.core.errors import AbsentError, ConfigurationError, DeniedError, UnavailableError
from slipway.core.model_file import Train
from slipway.core.pod_section import Pod
from slipway.dataset.ingestion import ingest
from slipway.storage.object_store import ObjectStore, open_store
from slipway.training.evaluation import evaluate
from slipway.training.job import TrainingJob
from slipway.training.pod_job import PodJob
from slipway.training.pod_manifest import pod_manifest
from slipway.training.pod_operators import EvaluateInPodOperator, TrainInPodOperator
from slipway.training.training import train
from tests.integration.storage.emulators import aws, aws_client, aws_connection
from tests.integration.training.pod_cluster import ROOT, PodApi, ProcessKubelet, connection_to, run_container, serving
from tests.integration.training.pod_task import Task
from tests.integration.training.test_flow import MIXED, rows

POD = Pod(image="registry.example.com/slipway@sha256:" + "a" * 64, secret="store-login")
TREE = Train(estimator="sklearn.ensemble.RandomForestClassifier", params={"n_estimators": 10}, pod=POD)


def training_task(dataset: dict[str, Any], store: str, section: Train = TREE, **waits: Any) -> Task:
    quick = {"poll_interval": 0.1, "startup_check_interval_seconds": 0.1, "retries": 0, **waits}
    where = {"model": "m", "store": store, "dataset_section": MIXED, "dataset": dataset}
    return Task(lambda: TrainInPodOperator(task_id="train_model", train=section, **where, **quick))


class Bench:
    """A bucket with a dataset, an API, and the tasks."""

    def __init__(self, api: PodApi, kubelet: ProcessKubelet, store: str, folder: Path) -> None:
        self.api, self.kubelet, self.store, self.folder = api, kubelet, store, folder
        self.files: ObjectStore = open_store(f"{store}/m")
        path = folder / "data.csv"
        rows("binary").to_csv(path, index=False)
        self.dataset = ingest(
            str(path), None, MIXED, self.files, champion_schema=None, champion_label="", work_dir=folder
        )

    def training(self, section: Train = TREE, **waits: Any) -> Task:
        return training_task(self.dataset.model_dump(mode="json"), self.store, section, **waits)

    def evaluation(self, fit: dict[str, Any]) -> Task:
        dataset = self.dataset.model_dump(mode="json")
        where = {"model": "m", "store": self.store, "dataset_section": MIXED, "train": TREE, "dataset": dataset}
        return Task(lambda: EvaluateInPodOperator(task_id="evaluate_model", fit=fit, poll_interval=0.1, **where))


@pytest.fixture(scope="module")
def cloud() -> Iterator[str]:
    with aws() as url:
        aws_client(url, "s3").create_bucket(Bucket="slipway")
        yield url


@pytest.fixture
def bench(cloud: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    login = {"AIRFLOW_CONN_AWS_DEFAULT": aws_connection(cloud)}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", login["AIRFLOW_CONN_AWS_DEFAULT"])
    (tmp_path / "pods").mkdir()
    kubelet = ProcessKubelet(tmp_path / "pods", {"store-login": login})
    api = kubelet.api = PodApi(kubelet)
    with serving(api) as url:
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", connection_to(url))
        yield Bench(api, kubelet, f"s3://slipway/{tmp_path.name}", tmp_path)


def test_a_pod_s_results_are_the_worker_s(bench: Bench, tmp_path: Path) -> None:
    """The same files, to the byte, but for the moment at which they were made."""
    fit = bench.training().run()
    evaluation = bench.evaluation(fit).run()
    local = open_store(str(tmp_path / "worker"))
    bench.files.download(bench.dataset.key, tmp_path / "worker" / bench.dataset.key)
    job = TrainingJob("m", bench.dataset, MIXED, TREE.model_copy(update={"pod": None}))
    # In a process of its own, as a worker's task is: which equal texts of a pickle are one object, and so its bytes, is a
    # matter of what else the process has loaded.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as worker:
        own = worker.submit(train, job, local, folder(tmp_path, "fit")).result()
        measured = worker.submit(evaluate, job, own, local, folder(tmp_path, "evaluate")).result()
    assert fit["model_id"] == own["model_id"]
    assert {**fit["files"], "fit.json": ""} == {**own["files"], "fit.json": ""}
    assert evaluation["metrics"] == measured["metrics"]
    for name in ("golden.json", "model.onnx", "model.joblib"):
        assert bench.files.read(fit["key"] + name) == local.read(own["key"] + name)
    metadata = [json.loads(store.read(fit["key"] + "metadata.json")) for store in (bench.files, local)]
    assert metadata[0] | {"created": ""} == metadata[1] | {"created": ""}


def test_two_processes_make_the_same_bytes_of_the_same_model(bench: Bench, tmp_path: Path) -> None:
    """Python orders a set of texts in another way in each process, unless it is told how."""
    found = []
    for seed in ("0", "1"):
        store = tmp_path / f"seed-{seed}"
        bench.files.download(bench.dataset.key, store / "m" / bench.dataset.key)
        job = PodJob(stage="train", model="m", store=str(store), dataset=bench.dataset, section=MIXED, train=TREE)
        container = pod_manifest(POD, job, "p")["spec"]["containers"][0]
        container["env"].append({"name": "PYTHONHASHSEED", "value": seed})
        home = folder(tmp_path, f"home-{seed}")
        ended = run_container(container, home, bench.kubelet.secrets)
        assert ended.returncode == 0, ended.stdout.decode()
        found.append(json.loads((home / "termination-log").read_text())["result"]["files"])
    assert {**found[0], "fit.json": ""} == {**found[1], "fit.json": ""}


def folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


def test_the_pod_has_one_container_and_no_log_in_and_is_gone_when_the_task_is_done(bench: Bench) -> None:
    task = bench.training()
    result = task.run()
    [pod] = bench.api.created
    assert bench.api.deleted == [pod["metadata"]["name"]]
    assert not bench.api.pods
    assert [container["name"] for container in pod["spec"]["containers"]] == ["training"]
    assert result["changed"]
    assert "AIRFLOW_CONN" not in json.dumps(pod)  # the log-in is in the Secret alone


def test_what_the_pod_raised_is_the_task_s_error(bench: Bench) -> None:
    wrong = TREE.model_copy(update={"params": {"n_estimatrs": 10}})
    with pytest.raises(ConfigurationError, match=r"n_estimatrs.*allowed: ") as caught:
        bench.training(wrong).run()
    job = TrainingJob("m", bench.dataset, MIXED, wrong)
    with pytest.raises(ConfigurationError) as own:
        train(job, bench.files, bench.folder)
    assert str(caught.value) == str(own.value)
    assert not bench.api.pods


def test_kill_9_between_the_pod_s_creation_and_its_answer_and_the_retry_waits_for_the_same_pod(bench: Bench) -> None:
    bench.kubelet.held.clear()
    bench.api.answers.clear()
    killed = subprocess.Popen(
        [sys.executable, __file__, json.dumps(bench.dataset.model_dump(mode="json")), bench.store],
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT / 'serving'}:{ROOT}"},
        stdout=subprocess.DEVNULL,
    )
    assert bench.api.has_created.wait(60)
    killed.kill()
    assert killed.wait(10) == -signal.SIGKILL
    bench.api.answers.set()
    task = bench.training()
    task.try_number = 2
    deferred = task.start()
    bench.kubelet.held.set()
    assert task.resume(deferred)["changed"]
    assert len(bench.api.created) == 1


def test_a_retry_after_the_model_file_changed_does_not_take_the_old_pod(bench: Bench) -> None:
    bench.kubelet.held.clear()
    task, other = bench.training(), bench.training(TREE.model_copy(update={"seed": 1}))
    task.start()
    task.make, task.try_number = other.make, 2
    deferred = task.start()
    bench.kubelet.held.set()
    result = task.resume(deferred)
    assert len(bench.api.created) == 2
    assert not bench.api.pods
    assert json.loads(bench.files.read(f"{result['key']}fit.json"))["model_id"] == result["model_id"]


def test_a_retry_after_the_pod_was_done_finds_the_model(bench: Bench) -> None:
    task = bench.training()
    first = task.run()
    task.try_number = 2
    again = task.run()
    assert (again["changed"], again["files"]) == (False, first["files"])


def test_a_pod_that_somebody_deletes_is_told_and_retried(bench: Bench) -> None:
    bench.kubelet.held.clear()
    task = bench.training()
    deferred = task.start()
    bench.api.pods.clear()
    with pytest.raises(UnavailableError, match="it is gone"):
        task.resume(deferred)
    bench.kubelet.held.set()


def test_a_secret_that_does_not_log_in_is_the_store_s_own_error(bench: Bench) -> None:
    bench.kubelet.secrets["store-login"] = {}
    with pytest.raises(DeniedError, match=r"s3://slipway.*credentials"):
        bench.training().run()


FORBIDDEN = 'pods is forbidden: User "airflow" cannot create resource "pods" in API group "" in the namespace "default"'


@pytest.mark.parametrize(
    ("refused", "kind", "expected"),
    [
        ((403, FORBIDDEN), DeniedError, r"may not create pods in namespace default\. .*rbac/training\.yaml"),
        ((403, 'pods "m" is forbidden: exceeded quota: compute'), DeniedError, r"quota: compute\. .*train\.pod"),
        ((404, 'namespaces "models" not found'), AbsentError, "models"),
    ],
)
def test_a_cluster_that_refuses_the_pod(
    bench: Bench, refused: tuple[int, str], kind: type[Exception], expected: str
) -> None:
    bench.api.refusals["create"] = refused
    with pytest.raises(kind, match=expected):
        bench.training().start()


def test_a_connection_that_is_not_there_is_named(bench: Bench) -> None:
    elsewhere = TREE.model_copy(update={"pod": POD.model_copy(update={"conn_id": "forgotten"})})
    with pytest.raises(AbsentError, match="connection forgotten: there is none"):
        bench.training(elsewhere).start()


PULL = 'Back-off pulling image "registry.example.com/slipway": ErrImagePull: manifest unknown'


@pytest.mark.parametrize(
    ("state", "phase", "kind", "expected"),
    [
        (
            {"waiting": {"reason": "ImagePullBackOff", "message": PULL}},
            "Pending",
            AbsentError,
            "manifest unknown.*train.pod.image",
        ),
        (
            {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            "Failed",
            ConfigurationError,
            "OOMKilled.*train.pod.memory",
        ),
    ],
)
def test_a_pod_that_fails_is_explained_and_deleted(
    bench: Bench, state: dict[str, Any], phase: str, kind: type[Exception], expected: str
) -> None:
    status = {
        "phase": phase,
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [
            {"name": "training", "state": state, "image": "i", "imageID": "", "ready": False, "restartCount": 0}
        ],
    }
    bench.api.kubelet = lambda pod: pod.update(status=status)
    with pytest.raises(kind, match=expected):
        bench.training().run()
    assert not bench.api.pods


def test_a_pod_that_no_node_has_room_for_is_given_up(bench: Bench) -> None:
    message = "0/3 nodes are available: 3 Insufficient memory."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    bench.api.kubelet = lambda pod: pod.update(status={"phase": "Pending", "conditions": [condition]})
    with pytest.raises(UnavailableError, match=r"3 Insufficient memory\. .*lower train\.pod\.cpu"):
        bench.training(schedule_timeout_seconds=1).run()
    assert not bench.api.pods


if __name__ == "__main__":
    training_task(json.loads(sys.argv[1]), sys.argv[2]).start()
