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
from slipway.core.deploy_section import Deployment
from slipway.core.firewall_section import Firewall
from slipway.core.image_section import Image
from slipway.core.metric_name import METRIC_NAMES, MetricName
from slipway.core.pod_section import Pod
from slipway.core.section import Section
from slipway.core.yaml_source import YamlSource

NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"
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
    pod: Pod | None = Field(None, description="Train in a pod on a Kubernetes cluster instead of in Airflow's worker.")


class Gate(Section):
    """What a candidate must show before it may replace the champion."""

    metric: MetricName | None = Field(None, description="Default: accuracy for classification, r2 for regression.")
    minimum: float | None = Field(None, description="Absolute bound; for errors (rmse, mae, log_loss) an upper bound.")
    champion: Literal["better", "not_worse", "ignore"] = "not_worse"
    approval: Literal["none", "required"] = "none"


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

    @model_validator(mode="after")
    def _a_pod_reaches_the_store(self) -> ModelFile:
        if self.train.pod and self.store.split("://", 1)[0] not in {"s3", "gs", "abfs"}:
            raise ValueError(
                "train.pod together with a store of s3:// or gs://; a pod does not see the worker's folders"
            )
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
