"""The section `deploy` of a model file: where the model is served."""

from __future__ import annotations

from pydantic import Field, model_validator

from slipway.core.kubernetes_section import KubernetesTarget
from slipway.core.section import Section, exactly_one

_OCTET = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"


class ProcessTarget(Section):
    """Serve from a process on the machine of the Airflow worker."""

    port: int = Field(5000, ge=0, le=65535, description="0: a free port, chosen at the first rollout and kept.")
    workers: int = Field(2, ge=1, le=64)


class DockerTarget(Section):
    """Serve from a container on a Docker host, behind an nginx on that host."""

    conn_id: str = Field(
        "docker_default",
        description="Airflow connection of type docker; its host is unix:///var/run/docker.sock, ssh://user@host or tcp://.",
    )
    address: str = Field(
        "127.0.0.1",
        pattern=rf"^({_OCTET}\.){{3}}{_OCTET}$",
        description="Where that host publishes the port: 127.0.0.1 for itself alone, 0.0.0.0 for everyone who reaches it.",
    )
    port: int = Field(5000, ge=1, le=65535)
    workers: int = Field(2, ge=1, le=64)
    memory: str | None = Field(
        None, pattern=r"^[1-9][0-9]{0,8}[kmgKMG]$", description="Limit, e.g. 512m or 2g; default: 512m for each worker."
    )
    cpus: float | None = Field(
        None, gt=0, le=1024, description="Limit; default: one for each worker, if it has so many."
    )
    keep: int = Field(2, ge=0, le=20, description="Previous containers that stay, stopped, for an instant rollback.")
    proxy_image: str = Field(
        "nginx:1.28-bookworm",
        pattern=r"^[a-z0-9][a-z0-9._:/-]*(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})$",
        description="nginx from a registry of your own.",
    )


class Deployment(Section):
    """One item of `deploy`: exactly one target."""

    process: ProcessTarget | None = None
    docker: DockerTarget | None = None
    kubernetes: KubernetesTarget | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Deployment:
        exactly_one(self)
        return self

    @property
    def kind(self) -> str:
        """``process``, ``docker`` or ``kubernetes``."""
        return exactly_one(self)
