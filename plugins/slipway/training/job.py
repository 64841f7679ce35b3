"""What a run wants trained: the input of both stages."""

from __future__ import annotations

from dataclasses import dataclass, field

from slipway.core.dataset import DatasetRef
from slipway.core.model_file import Dataset, Gate, Train


@dataclass(frozen=True)
class TrainingJob:
    """A stored dataset, and the sections of the model file that say how it is used.

    `gate` only lets a metric that cannot be measured fail before any work is done; it is no part of the model's identity.
    """

    model: str
    dataset: DatasetRef
    section: Dataset
    train: Train
    gate: Gate = field(default_factory=Gate)
