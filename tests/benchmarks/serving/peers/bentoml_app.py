"""BentoML with adaptive batching: rows of requests that wait at the same time are predicted in one call.

A batchable method takes one argument whose first axis is the batch. A batch may hold two of the largest requests; the
dispatcher learns its waiting time from `max_latency_ms`, which is no limit here: a request is never refused for it.
"""

import bentoml
from joblib_model import JoblibModel


@bentoml.service(workers=2, traffic={"timeout": 60}, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Predictor:
    def __init__(self):
        self._model = JoblibModel()

    @bentoml.api(batchable=True, max_batch_size=20_000, max_latency_ms=60_000)
    def predict(self, rows: list) -> list:
        return self._model.labels(rows).tolist()
