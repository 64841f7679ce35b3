"""The DAGs that the model files become: their shape, their forms, and that a broken file takes nothing else down."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.dag_processing.processor import _serialize_dags

ROOT = Path(__file__).parents[2]
FLIGHTS = (ROOT / "dags/models/flights.yaml").read_text().replace("model: flights", "model: fly")
CHAIN = ["connectivity", "dataset", "training", "gate", "rollout", "firewall", "verification", "promotion", "undo"]


class Log:
    """Stands where Airflow's logger would."""

    def exception(self, *_: Any) -> None:
        """The error is what the test looks at."""


def load(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The serialisable DAGs and the import errors of a folder, as the dag-processor reports them."""
    bag = BundleDagBag(dag_folder=folder / "deliver_model.py", bundle_path=folder, bundle_name="test")
    serialized, errors = _serialize_dags(bag, Log())  # type: ignore[arg-type]
    names = {dag.dag_id for dag in serialized}
    return {name: bag.dags[name] for name in names}, {**bag.import_errors, **errors}


@pytest.fixture
def dags_folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "dags", tmp_path / "dags")
    return tmp_path / "dags"


def test_every_model_file_is_one_dag(dags_folder: Path) -> None:
    dags, errors = load(dags_folder)
    assert not errors
    assert set(dags) == {f"deliver_{path.stem}" for path in (ROOT / "dags" / "models").glob("*.yaml")}


def test_the_groups_stand_in_the_order_of_the_chain(dags_folder: Path) -> None:
    dag = load(dags_folder)[0]["deliver_iris"]
    order: list[str] = []
    for task in dag.topological_sort():
        group = task.task_id.split(".")[0]
        if group not in order:
            order.append(group)
    assert sorted(order[8:]) == ["delivered", "undo"]  # both hang on the end of the chain
    assert order[:8] == CHAIN[:8]


def test_policy_every_task_has_retries_a_policy_a_deadline_and_a_documented_operator(dags_folder: Path) -> None:
    for dag in load(dags_folder)[0].values():
        assert dag.doc_md
        for task in dag.tasks:
            kind = task.operator_class if task.is_mapped else type(task)
            assert (kind.__doc__ or "").strip(), task.task_id
            if task.task_id.endswith("approve_release"):
                continue  # a person's answer has a time limit of its own
            assert task.retries == 3, task.task_id
            assert task.execution_timeout is not None, task.task_id


def test_the_trigger_form_describes_and_types_every_field(dags_folder: Path) -> None:
    for dag in load(dags_folder)[0].values():
        form = {name: dag.params.get_param(name) for name in dag.params}
        assert set(form) == {"dataset_uri", "deploy", "reason"}
        assert all(param.description and ("type" in param.schema or "enum" in param.schema) for param in form.values())
        assert form["deploy"].schema["enum"] == ["never", "newer", "force"]


def test_dataset_model_and_endpoint_are_outlets(dags_folder: Path) -> None:
    dag = load(dags_folder)[0]["deliver_iris"]
    assert {asset.name for task in dag.tasks for asset in task.outlets} == {
        "iris/dataset",
        "iris/model",
        "iris/endpoint",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: broken\nstore: s3://x\n", "models/broken.yaml:1: dataset: found nothing, allowed: a value"),
        ("model: [", "models/broken.yaml:2: not valid YAML"),
        ((ROOT / "dags/models/iris.yaml").read_text(), "model: found 'iris', which broken.yaml has already"),
        (
            FLIGHTS.replace("@daily", "61 * * * *"),
            "broken.yaml:6: schedule: found '61 * * * *', allowed: a minute of 0 to",
        ),
        (FLIGHTS.replace("@daily", "@continuous"), "broken.yaml:6: schedule: found '@continuous', allowed: a cron "),
        (FLIGHTS.replace("2013-01-01", "2013-02-30"), "broken.yaml:7: found 2013-02-30, allowed: a date that exists"),
        (
            FLIGHTS.replace("{max_iter: 100}", "&x {a: *x}"),
            "train.params.a: found an alias inside of what it stands for",
        ),
        (
            FLIGHTS.replace("{{ ds }}", "{{ ds }"),
            "dataset.uri: found 's3://inbox/flights/{{ ds }.csv', allowed: text with",
        ),
    ],
)
def test_a_broken_file_is_one_import_error_and_the_others_live(dags_folder: Path, text: str, expected: str) -> None:
    (dags_folder / "models" / "broken.yaml").write_text(text)
    dags, errors = load(dags_folder)
    assert "deliver_flights" in dags
    [(path, message)] = errors.items()
    assert path.startswith("models/")
    assert expected in message


@pytest.mark.parametrize("name", ["iris (copy).yaml", "ärger.yaml", "a.b.yml"])
def test_a_broken_file_may_have_any_name(dags_folder: Path, name: str) -> None:
    (dags_folder / "models" / name).write_text("model: [")
    dags, errors = load(dags_folder)
    assert set(dags) == {"deliver_flights", "deliver_iris"}
    assert list(errors) == [f"models/{name}"]


def test_a_file_that_is_not_utf8_is_one_import_error(dags_folder: Path) -> None:
    (dags_folder / "models" / "broken.yaml").write_bytes(b"model: \xff")
    assert "models/broken.yaml" in load(dags_folder)[1]


@pytest.mark.parametrize(
    "answer",
    [
        "s3://inbox/{{ conn.aws_default.password }}.csv",
        "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
        "a' }}{{ 1/0 }}{{ '",
        'quo"ted\\ and blank.csv',
        "{# a comment",
        "{% endif %}",
    ],
)
@pytest.mark.parametrize("model", ["deliver_flights", "deliver_iris"])
def test_the_form_s_answers_are_never_rendered(dags_folder: Path, model: str, answer: str) -> None:
    dag = load(dags_folder)[0][model]
    context = {"params": {"dataset_uri": answer, "deploy": "newer", "reason": answer}, "ds": "2013-01-05"}
    store, promote = dag.get_task("dataset.store_dataset"), dag.get_task("promotion.promote_release")
    check = dag.get_task("connectivity.check_endpoint")
    assert store.render_template(store.uri, context) == answer
    assert promote.render_template(promote.reason, context) == answer
    [source, *_] = check.expand_input.value["endpoint"]
    assert store.render_template(source["address"], context) == answer


@pytest.mark.parametrize("answer", [None, "", "  \n"])
def test_an_empty_answer_means_the_model_file_s_dataset(dags_folder: Path, answer: str | None) -> None:
    store = load(dags_folder)[0]["deliver_flights"].get_task("dataset.store_dataset")
    context = {"params": {"dataset_uri": answer}, "ds": "2013-01-05"}
    assert store.render_template(store.uri, context) == "s3://inbox/flights/2013-01-05.csv"


def test_an_answer_may_have_blanks_around_it(dags_folder: Path) -> None:
    store = load(dags_folder)[0]["deliver_iris"].get_task("dataset.store_dataset")
    assert store.render_template(store.uri, {"params": {"dataset_uri": " /data/my iris.csv \n"}}) == "/data/my iris.csv"


def test_approval_adds_the_question_between_gate_and_rollout(dags_folder: Path) -> None:
    path = dags_folder / "models" / "iris.yaml"
    path.write_text(path.read_text().replace("minimum: 0.8}", "minimum: 0.8, approval: required}"))
    dag = load(dags_folder)[0]["deliver_iris"]
    approve = dag.get_task("gate.approve_release")
    assert approve.upstream_task_ids == {"gate.decide_release"}
    assert "rollout.roll_out_process" in approve.downstream_task_ids


def test_a_model_without_targets_is_trained_and_recorded_only(dags_folder: Path) -> None:
    path = dags_folder / "models" / "flights.yaml"
    path.write_text(path.read_text().replace("deploy:\n  - process: {port: 0, workers: 1}\n", ""))
    dag = load(dags_folder)[0]["deliver_flights"]
    assert dag.get_task("gate.decide_release").downstream_task_ids >= {"promotion.promote_release"}


def test_a_docker_host_needs_an_image_first_and_what_is_not_declared_has_no_box(dags_folder: Path) -> None:
    path = dags_folder / "models" / "flights.yaml"
    image = "image: {repository: registry.example.com/flights, signing_conn_id: signer, conn_id: reg}\n"
    path.write_text(image + path.read_text().replace("process: {port: 0, workers: 1}", "docker: {port: 5001}"))
    dag = load(dags_folder)[0]["deliver_flights"]
    order = [task.task_id for task in dag.topological_sort()]
    chain = [f"image.{name}" for name in ("ensure_base_image", "build_image", "verify_image")]
    chain += ["rollout.roll_out_docker", "verification.verify_endpoint", "promotion.promote_release"]
    assert [name for name in order if name in chain] == chain
    assert dag.get_task("rollout.roll_out_docker").registry_conn_id == "reg"
    assert "undo.restore_docker" in order
    assert set(dag.task_group.children) == {
        "connectivity", "dataset", "training", "gate", "image", "rollout", "verification", "undo", "promotion", "delivered",
    }  # fmt: skip


def on_kubernetes(dags_folder: Path, strategy: str) -> Any:
    text = (ROOT / "dags/models/iris.yaml").read_text().replace("model: iris", "model: wheel")
    image = "image: {repository: registry.example.com/models/wheel}"
    target = f"- kubernetes: {{namespace: models{strategy}}}"
    before, _, after = text.partition("deploy:\n")
    rest = after.partition("\n")[2]
    (dags_folder / "models" / "wheel.yaml").write_text(f"{before}{image}\ndeploy:\n  {target}\n{rest}")
    dags, errors = load(dags_folder)
    assert not errors
    return dags["deliver_wheel"]


@pytest.mark.parametrize(
    ("strategy", "rollout", "promotion"),
    [
        ("", ["plan_kubernetes", "roll_out_kubernetes"], ["promote_release"]),
        (
            ", strategy: {canary: {steps: [5, 25]}}",
            [
                "plan_kubernetes",
                "shift_traffic_5",
                "analyse_canary_5",
                "shift_traffic_25",
                "analyse_canary_25",
                "roll_out_kubernetes",
            ],
            ["promote_release"],
        ),
        (
            ", strategy: {blue_green: {}}",
            ["plan_kubernetes", "start_preview", "analyse_preview", "roll_out_kubernetes"],
            ["promote_release", "retire_previous"],
        ),
    ],
)
def test_plan_steps_and_analyses_of_a_strategy_are_tasks_one_after_the_other(
    dags_folder: Path, strategy: str, rollout: list[str], promotion: list[str]
) -> None:
    dag = on_kubernetes(dags_folder, strategy)
    order = [task.task_id for task in dag.topological_sort()]
    assert [task for task in order if task.startswith("rollout.")] == [f"rollout.{name}" for name in rollout]
    assert [task for task in order if task.startswith("promotion.")] == [f"promotion.{name}" for name in promotion]
    for earlier, later in pairwise(rollout):
        assert f"rollout.{later}" in dag.get_task(f"rollout.{earlier}").downstream_task_ids
    undo = [task for task in order if task.startswith("undo.")]
    assert undo == [
        "undo.restore_security_group_1",
        "undo.restore_kubernetes",
        "undo.verify_restored",
        "undo.return_turn",
    ]
    first = dag.get_task("undo.restore_security_group_1")
    assert {f"rollout.{name}" for name in rollout} <= first.upstream_task_ids  # whichever fails, all is undone


def test_two_targets_have_a_verification_each(dags_folder: Path) -> None:
    text = (ROOT / "dags/models/iris.yaml").read_text().replace("model: iris", "model: both")
    image = "image: {repository: registry.example.com/models/both}\ndeploy:\n  - kubernetes: {namespace: models}\n"
    (dags_folder / "models" / "both.yaml").write_text(text.replace("deploy:\n", image))
    dags, errors = load(dags_folder)
    assert not errors
    verifications = [task for task in dags["deliver_both"].task_ids if task.startswith("verification.")]
    assert sorted(verifications) == ["verification.verify_kubernetes", "verification.verify_process"]
