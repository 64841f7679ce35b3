"""What a pod is told to do, as the arguments of its container."""

from __future__ import annotations

import re
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from slipway.core.dataset import DatasetRef
from slipway.core.identity import content_id
from slipway.core.model_file import Dataset, Gate, Train
from slipway.training.job import TrainingJob

Stage = Literal["train", "evaluate"]
# Linux takes no argument of more than 128 KiB, and a dataset of a few thousand columns has a schema of that length.
_ARGUMENT_CHARACTERS = 100_000


class PodJob(BaseModel):
    """One stage of a training, with all that it needs but the log-in to the store; that comes from the pod's environment.

    `store` and `store_conn_id` are of the model file, `fit` is what the first stage returned. There is no secret in it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Stage
    model: str
    store: str
    store_conn_id: str | None = None
    dataset: DatasetRef
    section: Dataset
    train: Train
    gate: Gate = Gate()
    fit: dict[str, Any] | None = None

    @property
    def training_job(self) -> TrainingJob:
        """The job as both stages take it."""
        return TrainingJob(self.model, self.dataset, self.section, self.train, self.gate)

    @property
    def id(self) -> str:
        """64 hex digits over all of it, so that a pod is only ever taken for one that does this very job."""
        return content_id(self._text())

    def arguments(self) -> list[str]:
        """The container's arguments, as Kubernetes takes them: ``$`` doubled, else ``$(NAME)`` would be a variable's value.

        YAML, because a model file's parameters come from YAML, and may hold what JSON lacks (dates, infinity).
        """
        text = self._text()
        pieces = [text[start : start + _ARGUMENT_CHARACTERS] for start in range(0, len(text), _ARGUMENT_CHARACTERS)]
        return [self.stage, *(piece.replace("$", "$$") for piece in pieces)]

    @classmethod
    def from_arguments(cls, arguments: list[str]) -> PodJob:
        """What `arguments` was made from, after Kubernetes made one ``$`` of two. Raises ValueError: it was not."""
        stage, *pieces = arguments
        try:
            return cls(stage=stage, **yaml.safe_load("".join(pieces)))
        except (yaml.YAMLError, TypeError) as error:
            raise ValueError(f"{len(pieces)} arguments that are no job: {error}") from error

    def _text(self) -> str:
        value = self.model_dump(exclude={"stage": True, "train": {"pod"}})
        return yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False).strip()


def pod_name(job: PodJob, attempt: str) -> str:
    """The pod's name: at most 63 characters of ``a-z0-9-``; the same for the same job and attempt.

    Args:
        job: what it does.
        attempt: what tells apart the attempts at it, e.g. DAG, run and number.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", job.model.lower())[:40].strip("-")
    return f"{readable}-{job.stage}-{content_id([job.id, attempt])[:10]}"
