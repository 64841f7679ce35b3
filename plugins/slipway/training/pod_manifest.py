"""The pod that trains, as a manifest: it satisfies the Pod Security Standard *restricted*, and can write below /tmp only."""

from __future__ import annotations

from math import ceil
from typing import Any

from slipway.core.kubernetes_values import millicores
from slipway.core.pod_section import Pod
from slipway.training.pod_job import PodJob
from slipway.training.pod_outcome import MESSAGE_PATH

CONTAINER = "training"
JOB_LABEL = "slipway.dev/job"
# The user of .compose/airflow/Dockerfile; as a number, for Kubernetes cannot tell of a name that it is not root.
_USER = 50000
_TMP = "/tmp"  # noqa: S108  the pod's own, and empty


def pod_labels(job: PodJob) -> dict[str, str]:
    """What finds the pod of an earlier attempt again, and tells people whose it is."""
    return {
        "app.kubernetes.io/managed-by": "slipway",
        "app.kubernetes.io/name": "model-training",
        "slipway.dev/model": job.model,
        JOB_LABEL: job.id[:32],
    }


def pod_manifest(pod: Pod, job: PodJob, name: str) -> dict[str, Any]:
    """The pod as the API takes it.

    Args:
        pod: the section of the model file.
        job: what it does.
        name: its name.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": pod.namespace, "labels": pod_labels(job)},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": ceil(pod.timeout_minutes * 60),
            # Only who was given an identity gets a token of it.
            **({"serviceAccountName": pod.service_account} if pod.service_account else {}),
            "automountServiceAccountToken": pod.service_account is not None,
            **({"imagePullSecrets": [{"name": pod.pull_secret}]} if pod.pull_secret else {}),
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(pod, job)],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": pod.disk}}],
        },
    }


def _container(pod: Pod, job: PodJob) -> dict[str, Any]:
    resources = {"cpu": pod.cpu, "memory": pod.memory}
    return {
        "name": CONTAINER,
        "image": pod.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "slipway.training.pod"],
        "args": job.arguments(),
        "env": [{"name": name, "value": value} for name, value in _environment(pod).items()],
        **({"envFrom": [{"secretRef": {"name": pod.secret}}]} if pod.secret else {}),
        "resources": {"requests": resources, "limits": resources},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": MESSAGE_PATH,
        # A process that dies without a message leaves the end of its log there.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "tmp", "mountPath": _TMP}],
    }


def _environment(pod: Pod) -> dict[str, str]:
    """All that a library may want to write goes below /tmp; no more threads than the pod has processors."""
    threads = str(ceil(millicores(pod.cpu) / 1000))
    return {
        "HOME": _TMP,
        "TMPDIR": _TMP,
        "AIRFLOW_HOME": f"{_TMP}/airflow",
        "MPLCONFIGDIR": f"{_TMP}/matplotlib",
        "JOBLIB_TEMP_FOLDER": _TMP,
        "LOKY_MAX_CPU_COUNT": threads,
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
