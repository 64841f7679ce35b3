"""The section `train.pod` of a model file: the pod on a Kubernetes cluster in which the model is trained and measured."""

from __future__ import annotations

from pydantic import Field

from slipway.core.section import Section

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = rf"^{_LABEL}(\.{_LABEL})*$"
_REPOSITORY = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+"
_CPU = r"^([1-9][0-9]{0,4}m?|[1-9][0-9]{0,2}\.[0-9]{1,3}|0\.[0-9]{0,2}[1-9])$"
_MEMORY = r"^[1-9][0-9]{0,8}(Ki|Mi|Gi|Ti|k|M|G|T)$"


class Pod(Section):
    """Train and evaluate in a pod; all but its image has a default.

    Where a model is trained is no part of its identity: the same model from a worker and from a pod has the same id.
    """

    image: str = Field(
        pattern=rf"^{_REPOSITORY}@sha256:[0-9a-f]{{64}}$",
        description="By digest: an image that holds Slipway and its pinned requirements, e.g. of .kubernetes/Dockerfile.",
    )
    conn_id: str = Field("kubernetes_default", min_length=1, description="Airflow connection of type kubernetes.")
    namespace: str = Field("default", pattern=rf"^{_LABEL}$")
    cpu: str = Field("1", pattern=_CPU, description="Request and limit: 2, 0.5 or 500m.")
    memory: str = Field("2Gi", pattern=_MEMORY, description="Request and limit, e.g. 512Mi or 8Gi.")
    disk: str = Field("10Gi", pattern=_MEMORY, description="At most so much for the dataset and the model's files.")
    secret: str | None = Field(
        None,
        pattern=_NAME,
        max_length=253,
        description="An existing Secret whose keys become environment variables: AIRFLOW_CONN_AWS_DEFAULT and the like.",
    )
    service_account: str | None = Field(
        None, pattern=_NAME, max_length=253, description="An existing ServiceAccount, for a cloud's workload identity."
    )
    pull_secret: str | None = Field(
        None, pattern=_NAME, max_length=253, description="An existing Secret with the registry's log-in."
    )
    timeout_minutes: float = Field(120, gt=0, le=1440, description="After that long the cluster ends the pod.")
