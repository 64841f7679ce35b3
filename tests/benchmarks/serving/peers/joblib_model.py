"""The fitted pipeline as a person would serve it: loaded with joblib, asked with `predict`."""

import json
import os
from pathlib import Path

import joblib
import numpy as np
import pandas as pd


class JoblibModel:
    """Rows in, the dataset's own labels out.

    The folder of `BENCH_MODEL` holds model.joblib and given.json: the names of the features, the classes, and whether the
    pipeline wants a data frame; without categories it takes an array, which is several times cheaper for one row.
    """

    def __init__(self):
        folder = Path(os.environ["BENCH_MODEL"])
        given = json.loads((folder / "given.json").read_text())
        self._pipeline = joblib.load(folder / "model.joblib")
        self._names = given["names"]
        self._classes = np.array(given["classes"])
        self._wants_frame = given["wants_frame"]

    def predict(self, features):
        """One label for a row, or a list of them for a list of rows."""
        single = not isinstance(features[0], list)
        labels = self.labels([features] if single else features).tolist()
        return labels[0] if single else labels

    def labels(self, rows):
        """An array of labels for a list of rows."""
        table = pd.DataFrame(rows, columns=self._names) if self._wants_frame else np.array(rows)
        return self._classes[self._pipeline.predict(table)]
