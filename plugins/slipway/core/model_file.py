"""The model file: one YAML document that describes one model from dataset to endpoint, and becomes one DAG.

`parse_model_file` turns its text into a `ModelFile` or raises one `ConfigurationError` that names, for every
problem, the line, the key, what was found and what is allowed.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from slipway.core.column import ColumnRule
from slipway.core.cron import check_schedule
from slipway.core.firewall_section import Firewall
from slipway.core.metric_name import METRIC_NAMES, MetricName
from slipway.core.section import Section, exactly_one
from slipway.core.yaml_source import YamlSource

NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"
_OCTET = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
STORE_SCHEMES = ("s3", "gs", "abfs", "file")
DATASET_SCHEMES = ("s3", "gs", "abfs", "https", "http", "file", "")


def _known_scheme(allowed: tuple[str, ...]) -> Any:
    def check(uri: str) -> str:
        scheme = uri.split("://", 1)[0] if "://" in uri else ""
        if scheme not in allowed:
            shown = ", ".join(f"{name}://" if name else "a local path" for name in allowed)
            raise ValueError(f"one of {shown}")
        return uri

    return AfterValidator(check)


class Dataset(Section):
    """Where the rows come from and what they must look like."""

    uri: Annotated[str, _known_scheme(DATASET_SCHEMES)] = Field(
        description="Path, s3://, gs:// or https:// of a .csv, .csv.gz, .parquet or .jsonl file; Jinja, e.g. {{ ds }}."
    )
    conn_id: str | None = Field(None, description="Airflow connection to read it with; default by scheme.")
    target: str = Field(min_length=1, description="The column to predict.")
    drop: tuple[str, ...] = Field((), description="Columns that are neither features nor target.")
    columns: dict[str, ColumnRule] = Field({}, description="Rules by column; a column not named is inferred.")
    duplicates: Literal["allow", "reject"] = Field(
        "allow", description="Whether a row that repeats an earlier one, value for value, rejects the dataset."
    )

    @model_validator(mode="after")
    def _target_is_kept(self) -> Dataset:
        if self.target in self.drop:
            raise ValueError(f"a drop list without the target column {self.target!r}")
        return self


class Train(Section):
    """Which estimator, with what, on how much of the data."""

    estimator: str = Field(
        pattern=r"^[A-Za-z_][\w.]*([.:])[A-Za-z_]\w*$",
        description="Import path of a scikit-learn estimator class, or module:function that returns one.",
    )
    params: dict[str, Any] = Field({}, description="Keyword arguments for it.")
    task: Literal["classification", "regression"] | None = Field(None, description="Default: asked of the estimator.")
    preprocessing: str | None = Field(
        None,
        pattern=r"^(none|[A-Za-z_][\w.]*:[A-Za-z_]\w*)$",
        description="none, or module:function(schema) that returns a transformer; default: impute, scale, one-hot.",
    )
    holdout: float = Field(0.2, gt=0, lt=1, description="Share of the rows kept for evaluation.")
    seed: int = Field(0, ge=0, le=2**32 - 1)


class Gate(Section):
    """What a candidate must show before it may replace the champion."""

    metric: MetricName | None = Field(None, description="Default: accuracy for classification, r2 for regression.")
    minimum: float | None = Field(None, description="Absolute bound; for errors (rmse, mae, log_loss) an upper bound.")
    champion: Literal["better", "not_worse", "ignore"] = "not_worse"
    approval: Literal["none", "required"] = "none"


_REPOSITORY = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+"


class Image(Section):
    """The serving image: how it is built and where it is pushed."""

    repository: str = Field(pattern=rf"^{_REPOSITORY}$", description="registry/path, without a tag.")
    conn_id: str | None = Field(
        None, description="Airflow connection with the registry's log-in; null: it asks for none."
    )
    builder: Literal["daemonless", "engine"] = Field(
        "daemonless", description="daemonless: by Slipway itself; engine: by the Docker engine of engine_conn_id."
    )
    engine_conn_id: str | None = Field(
        None,
        description="Airflow connection of a Docker engine; it also builds the serving base where there is none yet.",
    )
    base: str | None = Field(
        None,
        pattern=rf"^({_REPOSITORY}(@sha256:[0-9a-f]{{64}})?|oci:/.+)$",
        description="Serving base: a repository, an image by digest, oci:/folder; default: slipway-serving beside it.",
    )
    build_args: dict[str, str] = Field({}, description="Build arguments of serving/Dockerfile, such as PIP_INDEX_URL.")
    labels: dict[str, str] = Field({}, description="Labels of the image, besides Slipway's own.")
    signing_conn_id: str | None = Field(
        None, description="Airflow connection with the key that signs the image; a rollout then wants the signature."
    )

    @model_validator(mode="after")
    def _an_engine_to_build_with(self) -> Image:
        if self.builder == "engine" and self.engine_conn_id is None:
            raise ValueError("builder: engine together with engine_conn_id, the Docker engine's Airflow connection")
        if self.builder == "engine" and (self.base or "").startswith("oci:"):
            raise ValueError(
                "builder: daemonless together with a base of oci:; an engine takes its base from a registry"
            )
        return self

    @property
    def base_repository(self) -> str:
        """Where serving bases are kept unless `base` says otherwise."""
        return self.base or f"{self.repository.rpartition('/')[0]}/slipway-serving"


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


class KubernetesTarget(Section):
    """Serve from a Deployment on a Kubernetes cluster."""

    conn_id: str = "kubernetes_default"
    namespace: str = Field("default", pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    replicas: int = Field(2, ge=1, le=1000)


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


class Https(Section):
    """The public name of the endpoint and who answers for its certificate."""

    domain: str = Field(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


class Access(Section):
    """Who may ask the endpoint: whoever has one of its API keys, or everyone."""

    open: bool = Field(False, description="true: everyone may ask, without an API key.")
    conn_id: str = Field(
        "slipway_api_keys",
        description="Airflow connection: its password is a key, its extra key_hashes a list of sha256:<hex> of more keys.",
    )
    requests_per_second: float = Field(0, ge=0, description="Per key, over all workers; 0: no limit.")
    burst: int = Field(100, ge=1, description="Requests that may come at once before that rate counts.")


class ModelFile(Section):
    """One model: dataset, training, gate, where it is served and who may reach it."""

    model: str = Field(pattern=NAME_PATTERN, description="Letters, digits and '-'; becomes the DAG deliver_<model>.")
    owner: str = "slipway"
    description: str = ""
    schedule: Annotated[str, AfterValidator(check_schedule)] | None = Field(
        None, description="Cron or preset; null: by hand."
    )
    start_date: date | datetime | None = Field(None, description="First partition; needed with a schedule.")
    end_date: date | datetime | None = Field(None, description="Last partition; no run is scheduled after it.")
    store: Annotated[str, _known_scheme(STORE_SCHEMES)] = Field(description="Bucket or folder for everything we keep.")
    store_conn_id: str | None = Field(None, description="Airflow connection; default by scheme.")
    dataset: Dataset
    train: Train
    gate: Gate = Gate()
    image: Image | None = None
    deploy: tuple[Deployment, ...] = ()
    access: Access = Access()
    firewall: tuple[Firewall, ...] = ()
    https: Https | None = None

    @model_validator(mode="after")
    def _schedule_has_a_start(self) -> ModelFile:
        if self.schedule and self.start_date is None:
            raise ValueError("a schedule together with a start_date, the first partition of a backfill")
        return self

    @model_validator(mode="after")
    def _an_end_has_a_schedule_before_it(self) -> ModelFile:
        if self.last_partition and (not self.schedule or self.schedule == "@once"):
            raise ValueError("an end_date together with a cron schedule")
        if self.last_partition and self.first_partition and self.last_partition < self.first_partition:
            raise ValueError("an end_date that is not before the start_date")
        return self

    @model_validator(mode="after")
    def _metric_fits_the_task(self) -> ModelFile:
        metric, task = self.gate.metric, self.train.task
        if metric and task and metric not in METRIC_NAMES[task]:
            raise ValueError(f"for train.task: {task} a gate.metric of {', '.join(METRIC_NAMES[task])}, not {metric}")
        return self

    @model_validator(mode="after")
    def _targets_differ(self) -> ModelFile:
        kinds = [deployment.kind for deployment in self.deploy]
        if twice := sorted({kind for kind in kinds if kinds.count(kind) > 1}):
            raise ValueError(f"each target of deploy once, not {twice[0]} twice")
        return self

    @model_validator(mode="after")
    def _image_for_containers(self) -> ModelFile:
        kinds = {deployment.kind for deployment in self.deploy} - {"process"}
        if kinds and self.image is None:
            raise ValueError(f"deploy: {' and '.join(sorted(kinds))} together with image.repository")
        return self

    @property
    def first_partition(self) -> datetime | None:
        """`start_date` as a moment, in UTC unless it says otherwise."""
        return _moment(self.start_date)

    @property
    def last_partition(self) -> datetime | None:
        """`end_date` likewise."""
        return _moment(self.end_date)

    @property
    def dag_id(self) -> str:
        """The DAG that delivers this model."""
        return f"deliver_{self.model}"


def _moment(day: date | datetime | None) -> datetime | None:
    if day is None:
        return None
    moment = day if isinstance(day, datetime) else datetime.combine(day, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def parse_model_file(text: str, name: str) -> ModelFile:
    """Read one model file.

    Args:
        text: the YAML.
        name: the file's name, for the error text.

    Raises:
        ConfigurationError: naming for every problem the line, the key, what was found and what is allowed.
    """
    source = YamlSource(text, name)
    try:
        return ModelFile.model_validate(source.value)
    except ValidationError as error:
        raise source.error_for(error, ModelFile) from error
