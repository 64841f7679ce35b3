"""The pod that trains: what it is told, how it is allowed to be, and the words for what becomes of it."""

from __future__ import annotations

import json
from datetime import date
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.core import errors
from slipway.core.dataset import DatasetRef
from slipway.core.errors import (
    AbsentError,
    ConfigurationError,
    DeniedError,
    RejectedError,
    SlipwayError,
    UnavailableError,
)
from slipway.core.model_file import Dataset, Gate, Train
from slipway.core.pod_section import Pod
from slipway.storage.object_store import open_store
from slipway.training.identity import find_model_id
from slipway.training.pod import main
from slipway.training.pod_failure import failure_of
from slipway.training.pod_job import PodJob, pod_name
from slipway.training.pod_manifest import pod_manifest
from slipway.training.pod_operators import EvaluateInPodOperator, TrainInPodOperator
from slipway.training.pod_outcome import MESSAGE_BYTES, error_message, find_outcome, result_message
from tests.integration.training.pod_cluster import expand
from tests.unit.rollout.kubernetes.pod_security import violations
from tests.unit.rollout.kubernetes.schemas import VERSIONS, problems

IMAGE = "registry.example.com:5000/team/slipway@sha256:" + "a" * 64
PODS = [
    Pod(image=IMAGE),
    Pod(
        image=IMAGE,
        conn_id="cluster",
        namespace="models",
        cpu="500m",
        memory="64Gi",
        disk="1Ti",
        secret="store-login",
        service_account="trainer",
        pull_secret="registry-login",
        timeout_minutes=0.5,
    ),
]
DATASET = {
    "id": "d1",
    "key": "datasets/d1/data.csv",
    "rows": 3,
    "size_bytes": 10,
    "file_sha256": "d1",
    "schema": {"features": [{"name": "a", "type": "number"}], "target": {"name": "y", "type": "category"}},
    "changed": True,
    "summary": "stored",
}
SECTION = Dataset(uri="s3://inbox/x.csv", target="y")
TREE = Train(estimator="sklearn.tree.DecisionTreeClassifier")


def job(**changes: Any) -> PodJob:
    given: dict[str, Any] = {"stage": "train", "model": "m", "store": "s3://slipway", "section": SECTION, "train": TREE}
    return PodJob(**{**given, "dataset": DatasetRef.model_validate(DATASET), **changes})


def received(arguments: list[str], env: dict[str, str] | None = None) -> PodJob:
    """The job as a container gets it, after Kubernetes replaced what it takes for references to variables."""
    return PodJob.from_arguments([expand(text, env or {}) for text in arguments])


def wide(columns: int) -> dict[str, Any]:
    features = [{"name": f"a column of the dataset, number {place}", "type": "number"} for place in range(columns)]
    return {**DATASET, "schema": {**DATASET["schema"], "features": features}}  # type: ignore[dict-item]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.dates() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(texts, values, max_size=4))
def test_a_job_arrives_as_it_was_sent_whatever_its_parameters(params: dict[str, Any]) -> None:
    sent = job(train=TREE.model_copy(update={"params": params}))
    assert received(sent.arguments()) == sent


@pytest.mark.parametrize(
    "text", ["$(AIRFLOW_CONN_AWS_DEFAULT)", "$$(A)", "$", "a\n- b: c", "{{ ds }}", "é\u2028\x00", "1e3", "no"]
)
def test_no_text_of_a_model_file_is_taken_for_anything_else(text: str) -> None:
    sent = job(train=TREE.model_copy(update={"params": {text: text}}))
    found = received(sent.arguments(), {"AIRFLOW_CONN_AWS_DEFAULT": "secret", "A": "secret"})
    assert found.train.params == {text: text}


def test_what_yaml_says_and_json_cannot_arrives() -> None:
    params = {"until": date(2026, 1, 1), "limit": inf, "small": 1e-9}
    assert received(job(train=TREE.model_copy(update={"params": params})).arguments()).train.params == params


def test_a_dataset_of_many_columns_fits_into_arguments_that_linux_takes() -> None:
    sent = job(dataset=DatasetRef.model_validate(wide(3000)))
    arguments = sent.arguments()
    assert len(arguments) > 2
    assert max(len(text.encode()) for text in arguments) < 128 * 1024
    assert received(arguments) == sent


@pytest.mark.parametrize("arguments", [["train"], ["fly", "{}"], ["train", "{model: m, wings: 2}"], ["train", "{"]])
def test_arguments_that_are_no_job_are_an_exit_status_of_their_own(arguments: list[str], tmp_path: Path) -> None:
    assert main(arguments, tmp_path / "message") == 2
    assert not (tmp_path / "message").exists()


def test_where_a_model_is_trained_is_no_part_of_its_identity() -> None:
    dataset = DatasetRef.model_validate(DATASET)
    ids = {find_model_id(dataset, SECTION, TREE.model_copy(update={"pod": pod})) for pod in (None, *PODS)}
    assert len(ids) == 1
    assert received(job(train=TREE.model_copy(update={"pod": PODS[0]})).arguments()).train == TREE


def test_a_pod_is_named_after_its_job_and_attempt() -> None:
    names = {
        pod_name(job(), "r1 1"),
        pod_name(job(), "r1 2"),
        pod_name(job(stage="evaluate"), "r1 1"),
        pod_name(job(model="M"), "r1 1"),
        pod_name(job(train=TREE.model_copy(update={"seed": 1})), "r1 1"),
    }
    assert len(names) == 5
    assert pod_name(job(), "r1 1") in names
    assert len(pod_name(job(model="M-" * 31), "r1 1")) <= 63


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("pod", PODS)
@pytest.mark.parametrize("model", ["m", "0", "Iris-" + "X" * 57 + "9"])
def test_the_manifest_is_valid_and_restricted(version: str, pod: Pod, model: str) -> None:
    told = job(model=model, stage="evaluate", fit={"model_id": "i"})
    manifest = pod_manifest(pod, told, pod_name(told, "r1"))
    assert not problems(manifest, version)
    assert not violations(manifest)
    [container] = manifest["spec"]["containers"]
    assert container["image"] == IMAGE
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"] == pod.memory
    assert manifest["spec"]["automountServiceAccountToken"] is (pod.service_account is not None)
    assert ("envFrom" in container) is (pod.secret is not None)


@pytest.mark.parametrize("kind", [TrainInPodOperator, EvaluateInPodOperator])
def test_the_provider_leaves_the_pod_as_we_made_it(kind: type[Any]) -> None:
    """What is created is the provider's merge of our manifest with its own defaults."""
    train = TREE.model_copy(update={"pod": PODS[1]})
    task = kind(task_id="t", model="m", store="s3://b", dataset_section=SECTION, train=train, dataset=DATASET, fit={})
    made = pod_manifest(PODS[1], task.job(), "m-train-1")
    task.name, task.labels, task.pod_template_dict = "m-train-1", made["metadata"]["labels"], made
    from kubernetes.client import ApiClient

    pod = ApiClient().sanitize_for_serialization(task.build_pod_request_obj(dry_run=True))
    assert not violations(pod)
    assert pod["metadata"]["name"] == "m-train-1"
    assert made["metadata"]["labels"].items() <= pod["metadata"]["labels"].items()
    ours, theirs = made["spec"]["containers"][0], pod["spec"]["containers"][0]
    assert {name: theirs.get(name) for name in ours} == ours
    spec = {name: value for name, value in made["spec"].items() if name != "containers"}
    assert {name: pod["spec"].get(name) for name in spec} == spec
    assert len(pod["spec"]["containers"]) == 1


def test_only_what_other_tasks_return_is_templated() -> None:
    assert set(TrainInPodOperator.template_fields) == {"dataset"}
    assert set(EvaluateInPodOperator.template_fields) == {"dataset", "fit"}


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SlipwayError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_comes_back_with_its_class_and_text(kind: type[SlipwayError]) -> None:
    error = kind("could not fit", on="Tree", why="depth ü is \ud800 3", fix="Correct it.")
    message = error_message(error)
    found = find_outcome(message.decode(), no_store)
    assert type(found) is kind
    assert str(found) == str(error)


def test_a_long_error_is_cut_to_what_kubernetes_keeps(tmp_path: Path) -> None:
    message = error_message(RejectedError("could not store", on="é" * 3000, why="row 1: ü; " * 900, fix="Mend it."))
    assert len(message) <= MESSAGE_BYTES
    found = find_outcome(message.decode(), no_store)
    assert isinstance(found, RejectedError)
    assert found.why.startswith("row 1: ü")
    assert found.fix == "Mend it."


@pytest.mark.parametrize("size", [10, 10_000])
def test_a_result_comes_back_by_way_of_the_store_if_it_is_long(size: int, tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    result = {"summary": "ü" * size, "metrics": {"r2": 0.5}}
    message = result_message(result, lambda: store)
    assert len(message) <= MESSAGE_BYTES
    assert find_outcome(message.decode(), lambda: store) == result
    assert bool(list(store.keys(""))) is (size > MESSAGE_BYTES)


def test_a_result_that_changed_in_the_store_is_refused(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    message = result_message({"summary": "x" * 10_000}, lambda: store)
    [key] = store.keys("")
    store.write(key, b"{}")
    with pytest.raises(RejectedError, match="SHA-256"):
        find_outcome(message.decode(), lambda: store)


@pytest.mark.parametrize("text", ["", "Traceback (most recent call last):", "{}", "[]", '{"slipway": 2}', "null", "1"])
def test_what_is_no_outcome_of_ours_is_none(text: str) -> None:
    assert find_outcome(text, no_store) is None


def no_store() -> Any:
    raise AssertionError("the store may not be asked")


def ended(reason: str, code: int, message: str = "") -> dict[str, Any]:
    state = {"terminated": {"reason": reason, "exitCode": code, "message": message}}
    return {"phase": "Failed", "containerStatuses": [{"name": "training", "state": state}]}


def waiting(reason: str, message: str) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"name": "training", "state": state}]}


DENIED = (
    'Back-off pulling image "r/x": ErrImagePull: failed to pull and unpack image "r/x": failed to resolve reference "r/x": '
    "failed to authorize: failed to fetch oauth token: 401 Unauthorized"
)
NO_MODULE = (
    "/opt/venv/bin/python: Error while finding module specification (ModuleNotFoundError: No module named 'slipway')"
)
NO_PYTHON = 'failed to create containerd task: exec: "python": executable file not found in $PATH: unknown'
EMPTY_DIR = 'Usage of EmptyDir volume "tmp" exceeds the limit "10Gi".'
TAINTS = "0/3 nodes are available: 1 node(s) had an untolerated taint, 2 Insufficient cpu."


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (ended("OOMKilled", 137), ConfigurationError, "OOMKilled: it needs more memory than it has. Raise train.pod.memory"),
        (ended("Error", 1, "Traceback:\n boom\nKeyError: 'a'"), UnavailableError, "exit 1: Traceback: | boom | KeyError"),
        (ended("Error", 1, NO_MODULE), ConfigurationError, "No module named 'slipway'). Build train.pod.image"),
        (ended("Error", 2, "does not understand its job"), ConfigurationError, "Build train.pod.image of this version"),
        (ended("StartError", 128, NO_PYTHON), ConfigurationError, 'exec: "python": executable file not found'),
        (ended("Error", 143), UnavailableError, "ended from outside (exit 143)"),
        (ended("Completed", 0), UnavailableError, "left no result"),
        (
            {"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node longer than"},
            ConfigurationError,
            "it ran out of time. Raise train.pod.timeout_minutes",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": EMPTY_DIR}, ConfigurationError, "Raise train.pod.disk"),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
            UnavailableError,
            "its node gave it up: Evicted: The node was low on resource: memory. Clear",
        ),
        (
            {
                **ended("Error", 137),
                "conditions": [{"type": "DisruptionTarget", "status": "True", "message": "preempted by a pod"}],
            },
            UnavailableError,
            "its node gave it up: disrupted: preempted by a pod",
        ),
        (waiting("ImagePullBackOff", DENIED), DeniedError, "401 Unauthorized. Name a Secret"),
        (waiting("ErrImagePull", "r/x: not found"), AbsentError, "ErrImagePull: r/x: not found. Push the image"),
        (waiting("ErrImagePull", "dial tcp: i/o timeout"), UnavailableError, "See whether the nodes reach"),
        (waiting("InvalidImageName", "couldn't parse"), ConfigurationError, "Correct train.pod.image"),
        (
            waiting("CreateContainerConfigError", 'secret "store-login" not found'),
            AbsentError,
            'secret "store-login" not found. Create the Secret',
        ),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": TAINTS}],
            },
            UnavailableError,
            "2 Insufficient cpu. Add a node",
        ),
        ({"phase": "Unknown"}, UnavailableError, "the trigger's words"),
    ],
)  # fmt: skip
def test_each_end_of_a_pod_is_the_error_that_says_what_to_do(
    status: dict[str, Any], kind: type[SlipwayError], expected: str
) -> None:
    error = failure_of({"status": status}, "train", "pod models/m-train-1", "the trigger's words")
    assert type(error) is kind
    assert str(error).startswith("could not train in a pod: pod models/m-train-1: ")
    assert expected in str(error)


def test_a_pod_that_is_gone_is_worth_another_try() -> None:
    assert isinstance(failure_of(None, "evaluate", "pod a/b"), UnavailableError)


def test_gate_and_fit_are_part_of_the_job() -> None:
    sent = job(stage="evaluate", gate=Gate(metric="roc_auc"), fit={"model_id": "a", "files": {"fit.json": "b"}})
    found = received(sent.arguments())
    assert (found.gate, found.fit) == (sent.gate, sent.fit)
    assert json.dumps(found.fit)
    assert found.training_job.gate.metric == "roc_auc"
