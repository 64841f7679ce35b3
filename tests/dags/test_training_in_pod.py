"""One line in the model file, and the DAG trains in a pod."""

from __future__ import annotations

from pathlib import Path

from tests.dags.test_deliver_model import dags_folder, load

__all__ = ["dags_folder"]
LINE = "train:\n  pod: {image: registry.example.com/slipway@sha256:" + "0" * 64 + "}\n"


def test_training_and_evaluation_are_in_a_pod_and_nothing_else_changes(dags_folder: Path) -> None:
    path = dags_folder / "models" / "iris.yaml"
    before = load(dags_folder)[0]["deliver_iris"]
    path.write_text(path.read_text().replace("train:\n", LINE))
    dags, errors = load(dags_folder)
    assert not errors
    changed = {
        task.task_id: task.task_type
        for task in dags["deliver_iris"].tasks
        if task.task_type != before.get_task(task.task_id).task_type
    }
    assert changed == {
        "training.train_model": "TrainInPodOperator",
        "training.evaluate_model": "EvaluateInPodOperator",
    }
    assert [asset.name for asset in dags["deliver_iris"].get_task("training.evaluate_model").outlets] == ["iris/model"]
    assert {task.task_id for task in before.tasks} == {task.task_id for task in dags["deliver_iris"].tasks}
