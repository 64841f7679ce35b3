"""The pod of a task under Airflow's KubernetesExecutor, through the executor's own code; and the Role that it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from airflow.providers.common.compat.sdk import BaseHook

from tests.unit.rollout.kubernetes.pod_security import violations
from tests.unit.rollout.kubernetes.schemas import VERSIONS, problems

FOLDER = Path(__file__).parents[2] / ".kubernetes"
TEMPLATE = FOLDER / "pod_template.yaml"
FILES = ("executor_role.yaml", "executor_config.yaml")
OBJECTS: list[dict[str, Any]] = [each for name in FILES for each in yaml.safe_load_all((FOLDER / name).read_text())]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [each for each in OBJECTS if each["kind"] == kind]


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    """What the executor makes of the template for one task."""
    made = PodGenerator.construct_pod(
        dag_id="deliver_iris",
        task_id="training.train_model",
        pod_id="deliver-iris-training-train-model-1",
        try_number=1,
        kube_image=None,
        date=None,
        run_id="scheduled__2026-01-01T00:00:00+00:00",
        args=["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "{}"],
        pod_override_object=None,
        base_worker_pod=PodGenerator.deserialize_model_file(str(TEMPLATE)),
        namespace="airflow",
        scheduler_job_id="1",
    )
    serialised: dict[str, Any] = PodGenerator.serialize_pod(made)
    return serialised


@pytest.mark.parametrize("version", VERSIONS)
def test_template_objects_and_what_the_executor_makes_are_valid(pod: dict[str, Any], version: str) -> None:
    for manifest in (yaml.safe_load(TEMPLATE.read_text()), pod, *OBJECTS):
        assert not problems(manifest, version)


def test_nothing_of_the_template_is_lost(pod: dict[str, Any]) -> None:
    template = yaml.safe_load(TEMPLATE.read_text())
    assert not violations(pod)
    [ours], [made] = template["spec"]["containers"], pod["spec"]["containers"]
    assert made["args"][0] == "python"
    assert [variable for variable in made["env"] if variable in ours["env"]] == ours["env"]
    for name in ("image", "name", "resources", "securityContext", "volumeMounts", "envFrom"):
        assert made[name] == ours[name]
    for name in ("serviceAccountName", "restartPolicy", "securityContext", "volumes", "enableServiceLinks"):
        assert pod["spec"][name] == template["spec"][name]
    assert pod["metadata"]["labels"]["kubernetes_executor"] == "True"


def test_the_image_is_named_by_digest_and_runs_as_the_same_user() -> None:
    template = yaml.safe_load(TEMPLATE.read_text())
    assert "@sha256:" in template["spec"]["containers"][0]["image"]
    user = template["spec"]["securityContext"]["runAsUser"]
    assert f"USER {user}:0" in (FOLDER / "Dockerfile").read_text()
    assert f":x:{user}:" in (FOLDER.parent / ".compose" / "airflow" / "Dockerfile").read_text()


def test_the_role_is_the_smallest() -> None:
    [role], [binding] = of_kind("Role"), of_kind("RoleBinding")
    granted = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert granted == {
        ("pods/log", "get"),
        *(("pods", verb) for verb in ("create", "get", "list", "watch", "patch", "delete")),
    }
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_all_that_the_pod_and_the_binding_refer_to_is_there() -> None:
    template = yaml.safe_load(TEMPLATE.read_text())
    accounts = {each["metadata"]["name"] for each in of_kind("ServiceAccount")}
    assert template["spec"]["serviceAccountName"] in accounts
    [binding] = of_kind("RoleBinding")
    assert {subject["name"] for subject in binding["subjects"]} < accounts
    [config], [secret] = of_kind("ConfigMap"), of_kind("Secret")
    assert template["spec"]["containers"][0]["envFrom"] == [
        {"configMapRef": {"name": config["metadata"]["name"]}},
        {"secretRef": {"name": secret["metadata"]["name"], "optional": True}},
    ]


def test_the_example_connection_is_the_account_of_the_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    [secret] = of_kind("Secret")
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", secret["stringData"]["AIRFLOW_CONN_KUBERNETES_DEFAULT"])
    connection = BaseHook.get_connection("kubernetes_default")
    assert (connection.conn_type, connection.extra_dejson) == ("kubernetes", {"in_cluster": True})


def test_the_commands_name_files_that_are_there_and_accounts_that_are_made() -> None:
    text = (FOLDER / "executor_role.yaml").read_text()
    accounts = {each["metadata"]["name"] for each in of_kind("ServiceAccount")}
    assert (
        set(re.findall(r"--serviceaccount=airflow:(\S+)", text)) == {"airflow-worker", "airflow-triggerer"} <= accounts
    )
    assert all((FOLDER.parent / path).is_file() for path in re.findall(r"-f (\S+)", text))
