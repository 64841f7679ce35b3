"""Training and evaluation in a pod on a Kubernetes cluster: the same work and the same results as in a worker.

A module of its own, because the provider that it builds on takes a second to load: only DAGs with `train.pod` pay for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.cncf.kubernetes.operators.pod import FoundMoreThanOnePodFailure, KubernetesPodOperator
from airflow.providers.common.compat.sdk import XCOM_RETURN_KEY, AirflowException, AirflowNotFoundException

from slipway.cluster.errors import TRAINING, translate
from slipway.core.dataset import DatasetRef
from slipway.core.errors import AbsentError, ConfigurationError, ConflictError, SlipwayError
from slipway.core.model_file import Gate
from slipway.storage.object_store import open_store
from slipway.training.pod_failure import failure_of, termination_message
from slipway.training.pod_job import PodJob, pod_name
from slipway.training.pod_manifest import CONTAINER, JOB_LABEL, pod_labels, pod_manifest
from slipway.training.pod_outcome import find_outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.sdk import Context

    from slipway.core.model_file import Dataset, Train
    from slipway.storage.object_store import ObjectStore
    from slipway.training.pod_job import Stage

_WAITING = {
    "poll_interval": 5,
    "logging_interval": 30,
    "schedule_timeout_seconds": 15 * 60,  # a cluster that grows on demand needs minutes for a node
    "startup_timeout_seconds": 10 * 60,  # and a node for an image of 3 GB
}


class _PodOperator(KubernetesPodOperator):
    """What the two stages share: a pod with the job in its arguments, waited for by the triggerer, deleted when it ended.

    `kill -9` of the task, and a retry finds the pod by its labels, one of which is the digest of the job, and waits for it
    again. A user who stops the task stops the pod. The pod is deleted whatever became of it: its log, its events and its
    end are in the task's log, and a failed pod would hold its place in the quota.
    """

    stage: ClassVar[Stage]
    ui_color = "#e6ecf5"

    def __init__(
        self,
        *,
        model: str,
        store: str,
        store_conn_id: str | None = None,
        dataset_section: Dataset,
        train: Train,
        dataset: Any,
        gate: Gate | None = None,
        fit: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kubernetes_conn_id=train.pod.conn_id,
            namespace=train.pod.namespace,
            base_container_name=CONTAINER,
            random_name_suffix=False,
            termination_message_policy="FallbackToLogsOnError",
            deferrable=True,
            on_finish_action="delete_pod",
            log_events_on_failure=True,
            log_pod_spec_on_failure=False,
            **(_WAITING | kwargs),
        )
        self.model, self.store, self.store_conn_id = model, store, store_conn_id
        self.dataset_section, self.train, self.dataset = dataset_section, train, dataset
        self.gate, self.fit = gate, fit

    def execute(self, context: Context) -> None:
        """Start the pod, or find the one of an earlier attempt, and wait for it without a worker."""
        ti, job = context["ti"], self.job()
        self.name = pod_name(job, f"{ti.dag_id} {ti.run_id} {ti.map_index} {ti.try_number}")
        self.labels = pod_labels(job)
        self.pod_template_dict = pod_manifest(self.train.pod, job, self.name)
        with self._translated(f"pod {self.namespace}/{self.name}"):
            self._delete_those_of_other_jobs(context)
            super().execute(context)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """The pod ended: its result becomes this task's, or its error does.

        Raises:
            SlipwayError: what the pod raised, with its class and text; else why the pod did not come to an end.
        """
        name = f"pod {event['namespace']}/{event['name']}"
        cause = None
        with self._translated(name):
            try:
                super().trigger_reentry(context, event)
            except AirflowException as error:  # the provider's own words for it; ours are made of the pod's status
                cause = error
            pod = self.client.api_client.sanitize_for_serialization(self.pod) if self.pod else None
        outcome = find_outcome(termination_message(pod), self.files) if pod else None
        if outcome is None or isinstance(outcome, SlipwayError):
            raise outcome or failure_of(pod, self.stage, name, event.get("message") or "") from cause
        self.log.info("%s", outcome["summary"])
        # The provider's way of returning a value is a second container in the pod, and is switched off.
        context["ti"].xcom_push(key=XCOM_RETURN_KEY, value=outcome)
        return outcome

    def job(self) -> PodJob:
        """What the pod does."""
        return PodJob(
            stage=self.stage,
            model=self.model,
            store=self.store,
            store_conn_id=self.store_conn_id,
            dataset=DatasetRef.model_validate(self.dataset),
            section=self.dataset_section,
            train=self.train,
            gate=self.gate or Gate(),
            fit=self.fit,
        )

    def files(self) -> ObjectStore:
        """The store, below ``<store>/<model>/``."""
        return open_store(f"{self.store.rstrip('/')}/{self.model}", self.store_conn_id)

    def defer(self, *, trigger: Any, **kwargs: Any) -> None:
        """The triggerer reads the connection itself, so that its kubeconfig is not kept with the trigger."""
        trigger.connection_extras = None
        super().defer(trigger=trigger, **kwargs)

    def _delete_those_of_other_jobs(self, context: Context) -> None:
        """An attempt that was killed before the model file changed left a pod that nobody waits for."""
        same = {**self.labels, **self._get_ti_pod_labels(context, include_try_number=False)}
        job = same.pop(JOB_LABEL)
        selector = ",".join([*(f"{key}={value}" for key, value in same.items()), f"{JOB_LABEL}!={job}"])
        for pod in self.client.list_namespaced_pod(self.namespace, label_selector=selector).items:
            self.log.info("deleting pod %s: it does what the model file said before", pod.metadata.name)
            self.pod_manager.delete_pod(pod)

    def _get_pod_from_task_state_store(self, context: Context) -> None:
        """An earlier attempt's pod is found by its labels alone: of a changed model file it would be another job's."""

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        from kubernetes.client.exceptions import ApiException
        from kubernetes.config import ConfigException
        from urllib3.exceptions import HTTPError

        failed, connection = f"could not {self.stage} in a pod", f"connection {self.kubernetes_conn_id}"
        try:
            yield
        except (ApiException, HTTPError) as error:
            raise translate(error, failed, name, TRAINING) from error
        except FoundMoreThanOnePodFailure as error:
            fix = "Delete them (kubectl delete pod -l ...), then clear the task."
            raise ConflictError(failed, on=name, why=str(error), fix=fix) from error
        except AirflowNotFoundException as error:
            fix = "Add one of type kubernetes."
            raise AbsentError(failed, on=connection, why="there is none", fix=fix) from error
        except (AirflowException, ConfigException) as error:
            fix = "Give it a kubeconfig, or in_cluster where Airflow runs in the cluster."
            raise ConfigurationError(failed, on=connection, why=str(error)[:400], fix=fix) from error


class TrainInPodOperator(_PodOperator):
    """As TrainModelOperator, in a pod: fit the estimator on the stored dataset, and export it.

    Args:
        model, store, store_conn_id: where the model's objects are; the connection is one of the pod's environment.
        dataset_section, train, gate: the sections of the model file; `train.pod` says which pod.
        dataset: what StoreDatasetOperator returned.
    """

    stage = "train"
    template_fields: Sequence[str] = ("dataset",)


class EvaluateInPodOperator(_PodOperator):
    """As EvaluateModelOperator, in a pod: measure the fitted model, explain it, and complete its bundle.

    Args:
        model, store, store_conn_id: where the model's objects are; the connection is one of the pod's environment.
        dataset_section, train: the sections of the model file; `train.pod` says which pod.
        dataset: what StoreDatasetOperator returned.
        fit: what TrainInPodOperator returned.
    """

    stage = "evaluate"
    template_fields: Sequence[str] = ("dataset", "fit")
