"""Deliver a model: from its dataset to a served, verified endpoint.

Every file in `dags/models/` becomes one DAG of this shape; each box is a task group in the grid.

    connectivity -> dataset -> training -> gate -> image -> rollout -> firewall -> verification -> promotion (undo on failure)

**When it runs**: on the model file's schedule, from the Trigger button, and as a backfill over past partitions.

**What a run may change**: it stores the dataset and the model under names made of their content, so a second run finds
them. It changes the endpoint only if the gate says so, and only while it holds the model's turn.

**When a task fails**

| task | what it means | what to do |
|---|---|---|
| check_endpoint | unreachable, denied or absent | the task's error names it; mend it, clear the task |
| store_dataset | the data broke a rule; nothing was stored | the error has columns and row numbers; mend data or rule |
| train_model, evaluate_model | estimator or parameters are wrong | correct `train:` in the model file |
| take_turn | another run is changing the endpoint | let it finish; the turn lapses by itself |
| ensure_base_image, build_image | registry or engine: no log-in, no space, another image under our tag | the error names it |
| verify_image | the image is not signed by our key | do not deploy it; find out who pushed it |
| plan_kubernetes | the cluster refuses an object, or somebody else keeps a field of it | the error names object, field, owner |
| shift_traffic_*, start_preview, roll_out_* | the new version did not get ready; the old one serves | the error says why |
| analyse_* | the new version does worse than it may | the error has the measurements; the run was undone |
| verify_endpoint | the endpoint answers, but not as training did | the run was undone; compare the row in the error |
| promote_release | another release became champion meanwhile | clear the gate's tasks |

A failure after the rollout began undoes, newest first, what this run did; the champion stays.
Tasks that were killed are retried and find what they had done. `deploy: never` in the trigger form measures without
touching the endpoint; `force` deploys whatever was measured.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, ParamsDict, TaskGroup, TriggerRule, chain, get_parsing_context

from slipway.dataset.operators import StoreDatasetOperator
from slipway.firewall.operators import RestoreSecurityGroupOperator, SyncSecurityGroupOperator
from slipway.network.endpoint import endpoints_of
from slipway.network.operators import CheckEndpointOperator
from slipway.release.operators import (
    DecideReleaseOperator,
    PromoteReleaseOperator,
    ReturnTurnOperator,
    TakeTurnOperator,
)
from slipway.training.operators import CompareModelsOperator, EvaluateModelOperator, TrainModelOperator
from slipway.wiring.catalogue import Catalogue
from slipway.wiring.dataset_uri import dataset_uri_template
from slipway.wiring.defaults import default_args
from slipway.wiring.image_tasks import image_of, image_tasks
from slipway.wiring.import_error import broken_dag
from slipway.wiring.schedule import schedule_of
from slipway.wiring.target_tasks import restore_tasks, retirement_tasks, rollout_tasks, verification_task
from slipway.wiring.trigger_form import trigger_form

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from slipway.core.model_file import ModelFile

# A partition is the run's key, or else the end of its data interval.
PARTITION = "{{ dag_run.partition_key or (data_interval_end if data_interval_end is defined else dag_run.run_after) }}"
MODELS = Path(__file__).parent / "models"


def deliver_model(model: ModelFile) -> DAG:
    """The DAG of one model file."""
    where = {"model": model.model, "store": model.store, "store_conn_id": model.store_conn_id}
    run = {**where, "run_id": "{{ run_id }}"}
    gated = {**run, "partition": PARTITION, "choice": "{{ params.deploy }}"}
    dataset_uri = dataset_uri_template(model.dataset.uri)

    with DAG(
        dag_id=model.dag_id,
        description=model.description or f"Deliver the model {model.model}",
        doc_md=__doc__,
        schedule=schedule_of(model),
        start_date=model.first_partition,
        catchup=False,
        default_args=default_args(model.owner),
        tags={"slipway", model.model},
        render_template_as_native_obj=False,
    ) as dag:
        with TaskGroup("connectivity"):
            check_endpoint = CheckEndpointOperator.partial(
                task_id="check_endpoint", map_index_template="{{ task.endpoint['name'] }}"
            ).expand(endpoint=endpoints_of(model, dataset_uri))

        with TaskGroup("dataset"):
            store_dataset = StoreDatasetOperator(
                task_id="store_dataset",
                dataset=model.dataset,
                uri=dataset_uri,
                task=model.train.task,
                outlets=[Asset(f"{model.model}/dataset")],
                **where,
            )

        with TaskGroup("training"):
            train, evaluate = training_operators(model)
            train_model = train(
                task_id="train_model",
                dataset_section=model.dataset,
                train=model.train,
                gate=model.gate,
                dataset=store_dataset.output,
                **where,
            )
            evaluate_model = evaluate(
                task_id="evaluate_model",
                dataset_section=model.dataset,
                train=model.train,
                dataset=store_dataset.output,
                fit=train_model.output,
                outlets=[Asset(f"{model.model}/model")],
                **where,
            )

        with TaskGroup("gate"):
            take_turn = TakeTurnOperator(task_id="take_turn", **gated)
            compare_with_champion = CompareModelsOperator(
                task_id="compare_with_champion", gate=model.gate, evaluation=evaluate_model.output, **where
            )
            decide_release = DecideReleaseOperator(
                task_id="decide_release",
                gate=model.gate,
                comparison=compare_with_champion.output,
                evaluation=evaluate_model.output,
                **gated,
            )
            approvals = approval_tasks(model, decide_release, run)

        with group("image", model.image):
            images = image_tasks(model, evaluate_model.output, decide_release.output, run)

        with group("rollout", model.deploy):
            given = {
                **run,
                "bundle": evaluate_model.output,
                "decision": decide_release.output,
                "image": image_of(images),
            }
            steps = [rollout_tasks(model, deployment, given) for deployment in model.deploy]
            rollouts = [tasks[-1] for tasks in steps]  # of each target the task whose result says where it serves

        with group("firewall", security_groups(model)):
            firewalls = [
                SyncSecurityGroupOperator(task_id=f"sync_security_group_{number}", rule_set=rule_set, **run)
                for number, rule_set in enumerate(security_groups(model), start=1)
            ]

        with group("verification", model.deploy):
            verifications = [
                verification_task(model, deployment, rollout, evaluate_model.output, where)
                for deployment, rollout in zip(model.deploy, rollouts, strict=True)
            ]

        with TaskGroup("undo"):
            undo = undo_tasks(model, where, run)

        with TaskGroup("promotion"):
            promote_release = PromoteReleaseOperator(
                task_id="promote_release",
                decision=decide_release.output,
                image=image_of(images),
                rollouts=[rollout.output for rollout in rollouts],
                firewalls=[firewall.output for firewall in firewalls],
                verifications=[verification.output for verification in verifications],
                approval=approvals[0].output if approvals else None,
                reason="{{ params.reason or '' }}",
                undo=[task.task_id for task in undo],
                outlets=[Asset(f"{model.model}/endpoint")],
                **gated,
            )
            retirements = retirement_tasks(model, rollouts, run)

        chain(
            check_endpoint, store_dataset, train_model, evaluate_model, take_turn, compare_with_champion, decide_release
        )
        changing = [*approvals, *images, *chain_of(steps), *firewalls, *verifications, promote_release]
        chain(decide_release, *changing)
        changing >> undo[0]
        chain(*undo)
        # A run whose last task is undo would end as a success; this one (no worker runs it) ends as the promotion did.
        chain(promote_release, *retirements, EmptyOperator(task_id="delivered"))
    # After the tasks: each would take a deep copy of the form, which was half of the time that a parse takes.
    dag.params = ParamsDict(trigger_form(model))
    return dag


def group(name: str, declared: Any) -> AbstractContextManager[Any]:
    """A box in the grid for what the model file declares, and none for what it does not."""
    return TaskGroup(name) if declared else nullcontext()


def training_operators(model: ModelFile) -> tuple[type[BaseOperator], type[BaseOperator]]:
    """Who trains and who evaluates: the worker, or a pod where the model file names one."""
    if model.train.pod is None:
        return TrainModelOperator, EvaluateModelOperator
    from slipway.training.pod_operators import EvaluateInPodOperator, TrainInPodOperator

    return TrainInPodOperator, EvaluateInPodOperator


def approval_tasks(model: ModelFile, decide_release: DecideReleaseOperator, run: dict) -> list[BaseOperator]:
    """The question to a person, where the model file asks for it."""
    if model.gate.approval == "none":
        return []
    from slipway.release.approval_operators import ApproveReleaseOperator

    return [ApproveReleaseOperator(task_id="approve_release", decision=decide_release.output, **run)]


def chain_of(steps: list[list[BaseOperator]]) -> list[BaseOperator]:
    """One target after the other."""
    return [task for tasks in steps for task in tasks]


def security_groups(model: ModelFile) -> list:
    """The declared EC2 security groups."""
    return [firewall.aws_security_group for firewall in model.firewall if firewall.aws_security_group]


def undo_tasks(model: ModelFile, where: dict, run: dict) -> list[BaseOperator]:
    """Newest first, what the run changed; the first waits for any failure, the rest run whatever became of the one before."""
    steps: list[BaseOperator] = [
        *(
            RestoreSecurityGroupOperator(task_id=f"restore_security_group_{number}", rule_set=rule_set, **run)
            for number, rule_set in enumerate(security_groups(model), start=1)
        ),
        *(task for deployment in reversed(model.deploy) for task in restore_tasks(model, deployment, where, run)),
        ReturnTurnOperator(task_id="return_turn", **run),
    ]
    steps[0].trigger_rule = TriggerRule.ONE_FAILED
    for step in steps[1:]:
        step.trigger_rule = TriggerRule.NONE_SKIPPED
    return steps


def add_dag(model: ModelFile) -> None:
    """Make the model's DAG a global of this module, where Airflow looks; a model that Airflow refuses is set aside."""
    try:
        dag = deliver_model(model)
        dag.validate()  # else Airflow does so later, and blames this file for it, with every model in it
    except Exception as error:
        catalogue.set_aside(model, error)
    else:
        globals()[model.dag_id] = dag


catalogue = Catalogue(MODELS, get_parsing_context().dag_id)
for model_file in catalogue.models():
    add_dag(model_file)
for path, error in catalogue.broken.items():
    globals()[path.name] = broken_dag(path, error)
