"""What was true and what a model said: all that a metric needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slipway.training.bootstrap import FloatArray, remembering
from slipway.training.ranking import Climb, Ranking
from slipway.training.scorer import Scores


class ClassSums(NamedTuple):
    """Per weighting and class, [B, C]: the weight of its rows labelled rightly, of its rows, of the rows labelled so."""

    hits: FloatArray
    actual: FloatArray
    claimed: FloatArray


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

    @cached_property
    def rankings(self) -> list[Ranking]:
        """For each class, the rows ranked by its probability."""
        assert self.probabilities is not None
        return [Ranking(self.truth == code, self.probabilities[:, code]) for code in range(self.class_count)]

    @cached_property
    def second_climb(self) -> Callable[[FloatArray], Climb]:
        """The climb of the second of two classes, which two metrics share. For more classes it would be memory for nothing."""
        return remembering(self.rankings[1].climb)

    @cached_property
    def class_sums(self) -> Callable[[FloatArray], ClassSums]:
        """The sums per class for weights [B, N]."""
        return remembering(self._class_sums)

    def _class_sums(self, weights: FloatArray) -> ClassSums:
        hit = self.truth == self.predicted
        sums = ClassSums(*(np.empty((len(weights), self.class_count)) for _ in range(3)))
        for place, row in enumerate(weights):
            sums.hits[place] = np.bincount(self.truth, row * hit, self.class_count)
            sums.actual[place] = np.bincount(self.truth, row, self.class_count)
            sums.claimed[place] = np.bincount(self.predicted, row, self.class_count)
        return sums

    def __len__(self) -> int:
        return len(self.truth)
