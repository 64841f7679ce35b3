"""What was true and what a model said: all that a metric needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slipway.training.scorer import Scores

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """N rows. `truth` and `predicted` are codes 0..C-1 or numbers; `class_count` is 0 for regression."""

    truth: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    probabilities: npt.NDArray[Any] | None
    class_count: int

    @classmethod
    def of(cls, truth: npt.NDArray[Any], scores: Scores, class_count: int) -> Outcome:
        """The model's scores against the truth."""
        return cls(truth, scores.predicted, scores.probabilities, class_count)

    def __len__(self) -> int:
        return len(self.truth)
