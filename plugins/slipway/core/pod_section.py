"""The section `train.pod` of a model file: the pod on a Kubernetes cluster in which the model is trained and measured."""

from __future__ import annotations

from pydantic import Field

from slipway.core.kubernetes_values import Cpu, Memory, NamespaceName, ObjectName, Size
from slipway.core.section import Section

_REPOSITORY = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+"


class Pod(Section):
    """Train and evaluate in a pod; all but its image has a default.

    Where a model is trained is no part of its identity: the same model from a worker and from a pod has the same id.
    """

    image: str = Field(
        pattern=rf"^{_REPOSITORY}@sha256:[0-9a-f]{{64}}$",
        description="By digest: an image that holds Slipway and its pinned requirements, e.g. of .kubernetes/Dockerfile.",
    )
    conn_id: str = Field("kubernetes_default", min_length=1, description="Airflow connection of type kubernetes.")
    namespace: NamespaceName = "default"
    cpu: Cpu = Field("1", description="Request and limit: 2, 0.5 or 500m.")
    memory: Memory = Field("2Gi", description="Request and limit, e.g. 512Mi or 8Gi.")
    disk: Size = Field("10Gi", description="At most so much for the dataset and the model's files.")
    secret: ObjectName | None = Field(
        None,
        description="An existing Secret whose keys become environment variables: AIRFLOW_CONN_AWS_DEFAULT and the like.",
    )
    service_account: ObjectName | None = Field(
        None, description="An existing ServiceAccount, for a cloud's workload identity."
    )
    pull_secret: ObjectName | None = Field(None, description="An existing Secret with the registry's log-in.")
    timeout_minutes: float = Field(120, gt=0, le=1440, description="After that long the cluster ends the pod.")
