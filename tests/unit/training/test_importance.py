from __future__ import annotations

import numpy as np
import pytest

from slipway.core.bundle import Feature
from slipway.training.importance import measure_importance
from slipway.training.samples import Samples
from slipway.training.scorer import Scores

FEATURES = (
    Feature(name="noise", type="number", nullable=False),
    Feature(name="weak", type="number", nullable=False),
    Feature(name="kind", type="category", nullable=False),
    Feature(name="strong", type="number", nullable=False),
)
RANDOM = np.random.default_rng(4)
ROWS = Samples(RANDOM.normal(size=(300, 3)).astype(np.float32), RANDOM.choice(["a", "b"], (300, 1)).astype(object))


class Formula:
    """A model that is known: y = 5 strong + weak + 3 [kind is a]."""

    def score(self, samples: Samples) -> Scores:
        _, weak, strong = samples.numbers.T.astype(float)
        return Scores(5 * strong + weak + 3 * (samples.categories[:, 0] == "a"), None)


def test_what_the_model_leans_on_stands_first_and_what_it_ignores_costs_nothing() -> None:
    truth = Formula().score(ROWS).predicted
    found = measure_importance(Formula(), ROWS, truth, FEATURES, class_count=0, seed=0)
    assert [item.feature for item in found.features] == ["strong", "kind", "weak", "noise"]
    assert (found.metric, found.rows, found.repeats) == ("RMSE", 300, 3)
    by_name = {item.feature: item for item in found.features}
    assert (by_name["noise"].loss, by_name["noise"].spread) == (0, 0)
    # Shuffled, a standard normal is off by sqrt(2); the formula takes it times five.
    assert by_name["strong"].loss == pytest.approx(5 * np.sqrt(2), rel=0.15)


def test_the_same_seed_gives_the_same_numbers() -> None:
    truth = Formula().score(ROWS).predicted
    first, again, other = (measure_importance(Formula(), ROWS, truth, FEATURES, 0, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_many_features_are_measured_on_fewer_rows() -> None:
    many = tuple(Feature(name=f"f{place}", type="number", nullable=False) for place in range(400))
    rows = Samples(np.zeros((500, 400), np.float32), np.empty((500, 0), object))

    class Constant:
        def score(self, samples: Samples) -> Scores:
            return Scores(np.zeros(len(samples)), None)

    found = measure_importance(Constant(), rows, np.ones(500), many, class_count=0, seed=0)
    assert (found.rows, len(found.features)) == (83, 400)
